import type { Client } from '../client/client.ts';
import type { WorkerSpec } from '../client/contract/handler.ts';
import type { TaskType } from '../client/contract/task.ts';
import { createClient } from '../client/create-client.ts';
import { type Duration, optionalMs } from '../client/duration.ts';
import type { Logger } from '../client/log.ts';
import type { Submit } from '../client/submit/submit-call.ts';
import type { TaskStatus } from '../client/tasks/status.ts';
import { HoldfastError } from '../core/errors.ts';
import { inNextTurn } from '../testing/event-loop.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { type DrainCounts, drain } from './drain.ts';
import { FaultRequests, type TestFaults, testFaults } from './faults.ts';
import { type RunHandler, runHandler } from './run-handler.ts';
import { statusIfKept } from './status.ts';
import { Submissions } from './submissions.ts';
import { startTestNode } from './test-node.ts';
import { type TestClock, testClock } from './time/clock.ts';
import { VirtualTime } from './time/virtual-time.ts';
import { watchedClock } from './time/watched-clock.ts';
import { LostLeases } from './worker/lost-leases.ts';
import { WorkerSeat } from './worker/worker-seat.ts';

/** Options of `testKit`. */
export interface TestKitOptions {
  /** The worker under test. Default: none; tasks are accepted and wait. */
  readonly worker?: WorkerSpec | undefined;
  /** The log of the client, of the worker, and of `context.log` in handlers. Default: nothing is logged. */
  readonly log?: Logger | undefined;
  /**
   * How long, in real time, the virtual time waits for a handler that waits for something real, such as a database.
   * Default: 200 ms for each attempt. A wait by `kit.clock.sleep` takes none of it.
   */
  readonly realWait?: Duration | undefined;
}

/** A Holdfast store, a worker and a client in memory, on a clock that only the test moves. Made by `testKit`. */
export interface TestKit extends AsyncDisposable {
  /** A client as `connect` returns it, for the code under test. A refused call is not retried. */
  readonly client: Client;
  /** The virtual clock. */
  readonly clock: TestClock;
  /** Causes faults. */
  readonly faults: TestFaults;
  /** Submits a task, as `kit.client.submit` does. */
  readonly submit: Submit;
  /**
   * Runs tasks until nothing is left to do, and moves the time forward to each delayed start and each retry. Tasks that no
   * worker takes are left.
   *
   * @param options.limit The most virtual time that may pass. Default: 365 days.
   * @returns How many of the tasks that were submitted through this kit have ended in which way.
   */
  drain(options?: { readonly limit?: Duration | undefined }): Promise<DrainCounts>;
  /**
   * Returns the tasks that were submitted through this kit, by the test or by a handler, of one type or of all, in their
   * order. A submission that became a duplicate of an earlier one is not listed twice, and an expired task not at all.
   */
  submitted(task?: Pick<TaskType, 'name'>): Promise<readonly TaskStatus[]>;
  /**
   * Calls a handler alone, as one attempt with the number that the test wants. The input and the result are checked by the
   * contract, and `context.submit` submits to this kit.
   *
   * @returns What the handler returned.
   * @throws What the handler threw, such as a `RetryAfter`; or the error of the contract.
   */
  readonly run: RunHandler;
  /** Stops the worker and discards the store. `await using` calls it at the end of the block. */
  close(): Promise<void>;
}

const realWaitDefaultMs = 200;

/**
 * Starts a store in memory, a client and a worker on a virtual clock. Neither `Date` nor the timers of Node are used or
 * changed, so fake timers of a test runner may be on.
 *
 * @throws HoldfastError INVALID_ARGUMENT if `worker` was not made by `defineWorker`, or `realWait` is no duration.
 *
 * @example
 * ```ts
 * await using kit = await testKit({ worker });
 * const task = await kit.submit(sendEmail, { to: 'ada@example.com' }, { delay: '1h' });
 * await kit.clock.advance('1h');
 * expect(await task.status()).toMatchObject({ state: 'succeeded' });
 * ```
 */
export async function testKit(options: TestKitOptions = {}): Promise<TestKit> {
  const { log, worker } = options;
  ensureWorker(worker);
  const realWaitMs = optionalMs(options.realWait, 'realWait') ?? realWaitDefaultMs;
  const clock = virtualClock({ inNextTurn, turnsToRest: 1 });
  const ofClient = watchedClock(clock);
  const ofHandlers = watchedClock(clock);
  const node = await startTestNode(clock);
  const submissions = new Submissions();
  const lostLeases = new LostLeases(clock);
  const client = createClient(submissions.over(node.connect(ofClient)), {
    ...{ clock: ofClient, log, retryFor: 0 },
  });
  const requests = new FaultRequests(lostLeases);
  const seat = new WorkerSeat({
    ...{ spec: worker, log, realWaitMs, requests, client },
    newClock: () => clock.process(),
    settle: () => clock.settle(),
    connect: (own) => lostLeases.over(submissions.over(node.connect(own))),
  });
  const time = new VirtualTime(clock, {
    inProgress: () => seat.inProgress,
    changes: () => seat.changes,
    takeRealWait: (ms) => ofHandlers.timers < seat.inProgress && seat.takeRealWait(ms),
    hasOrphans: () => seat.hasOrphans(),
    sweep: () => node.sweep(),
    async nextAtMs() {
      const times = [await node.dueAtMs(), ofClient.earliestAtMs, ofHandlers.earliestAtMs];
      const known = times.filter((atMs) => atMs !== undefined);
      return known.length === 0 ? undefined : Math.min(...known);
    },
  });
  await seat.start();
  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    const closed = Promise.all([seat.close(), client.close()]).then(() => node.close());
    await time.advanceUntilSettled(closed);
  }
  const kit: TestKit = {
    client,
    clock: testClock(time, ofHandlers),
    faults: testFaults({
      ...{ requests, lostLeases, submissions },
      crashWorker: () => seat.crash(),
      inProgress: (type) => seat.idsOf(type),
    }),
    submit: client.submit,
    drain: (limits) => drain({ clock, time, client, submissions, seat }, limits),
    submitted: (task) => submittedOf(client, submissions, task?.name),
    run: runHandler({ clock: ofClient, client, log }),
    close() {
      closing ??= closeAll();
      return closing;
    },
    [Symbol.asyncDispose]: () => kit.close(),
  };
  return kit;
}

async function submittedOf(
  client: Client,
  { accepted }: Submissions,
  type: string | undefined,
): Promise<readonly TaskStatus[]> {
  const wanted = accepted.filter((one) => type === undefined || one.type === type);
  const read = await Promise.all(wanted.map(({ id }) => statusIfKept(client, id)));
  return read.filter((status) => status !== undefined);
}

/** A caller in JavaScript may pass a list of handlers, or a module in place of its worker. */
function ensureWorker(worker: Partial<WorkerSpec> | undefined): void {
  if (worker === undefined || (Array.isArray(worker.handlers) && Array.isArray(worker.use))) return;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', 'The worker of testKit is no worker.', {
    help: 'Give what defineWorker returned: testKit({ worker: defineWorker({ handlers: [sendEmailHandler] }) }).',
  });
}
