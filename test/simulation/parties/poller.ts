import { HoldfastError } from '../../../src/core/errors.ts';
import type { Assignment } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import {
  FailReason,
  HeartbeatVerdict,
  WorkerService,
} from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { rethrowUnlessTransient } from '../network/transient.ts';
import { SimTransport } from '../network/transport.ts';
import type { World } from '../world.ts';
import { delayAheadMs, endProcess } from './attempt.ts';
import { type JobInput, type JobResult, jobTypes, queues, slowAtOnce } from './job.ts';
import { processOf } from './parties.ts';

const timeoutMs = 10_000;
const heartbeatMs = 10_000;
const failures = [
  FailReason.RETRY,
  FailReason.RETRY,
  FailReason.FATAL,
  FailReason.SNOOZE,
  FailReason.RELEASED,
];

/**
 * A simulated worker without the SDK and without streams, like one that uses curl: it claims tasks, renews leases and
 * settles attempts by single calls. Some of its attempts send no heartbeat until they are done, past the end of their
 * lease.
 */
export class Poller {
  readonly process: SimProcess;
  readonly #world: World;
  readonly #transport: SimTransport;
  #stopping = false;

  constructor(network: Network, name: string) {
    this.#world = network.world;
    this.process = processOf(network, name);
    this.#transport = new SimTransport(network, this.process);
    this.#world.runInBackground(this.#run());
  }

  /** Stops claiming tasks. Running attempts continue to their end. */
  async stop(): Promise<void> {
    this.#stopping = true;
  }

  async #run(): Promise<void> {
    const { clock } = this.process;
    let requestId = clock.uuid();
    while (!this.#stopping) {
      const tasks = await this.#claim(requestId).catch((thrown: unknown) =>
        rethrowUnlessTransient(thrown, 'a claim'),
      );
      // Without a response the same claim request is sent again, so that tasks that the first request may have claimed
      // are not lost.
      if (tasks !== undefined) requestId = clock.uuid();
      for (const task of tasks ?? []) this.#world.runInBackground(this.#work(task));
      await clock.sleep(this.#world.between(500, 4_000));
    }
  }

  async #claim(requestId: string): Promise<readonly Assignment[]> {
    const { name } = this.process;
    const { features } = this.#world;
    const request = {
      workerName: name,
      workerId: name,
      queues: [...queues],
      types: jobTypes.map((type) => ({
        type,
        maxVersion: 1,
        ...(type === 'slow' && features.limitsTypes && { tasks: slowAtOnce }),
      })),
      maxTasks: 2,
      waitMs: 5_000n,
      requestId,
    };
    return (await this.#transport.call(WorkerService.method.claimTasks, request, { timeoutMs })).tasks;
  }

  async #work(task: Assignment): Promise<void> {
    const end = this.#world.begin(this.process, task.taskId, Number(task.fencingToken));
    const settles = await this.#handle(task);
    end();
    if (settles) await this.#settle(task);
  }

  /** Runs one attempt, with its heartbeats. Returns false if the attempt must not be settled. */
  async #handle(task: Assignment): Promise<boolean> {
    const world = this.#world;
    if (world.poison.has(inputOf(task).n)) await endProcess(world, this.process);
    const { clock } = this.process;
    const unresponsive = world.injectFault('ran on after its lease', 0.1);
    const endMs =
      world.elapsedMs +
      (unresponsive ? unresponsiveMs(world) : world.between(50, world.chance(0.15) ? 35_000 : 4_000));
    while (world.elapsedMs + heartbeatMs < endMs) {
      await clock.sleep(heartbeatMs);
      if (!unresponsive && !(await this.#heartbeat(task))) return false;
    }
    await clock.sleep(endMs - world.elapsedMs);
    if (unresponsive) await this.#sendMissedHeartbeats(task);
    return true;
  }

  /** Sends the heartbeats that an attempt did not send during its run, within 2.5 s. */
  async #sendMissedHeartbeats(task: Assignment): Promise<void> {
    const heartbeats = Array.from({ length: 8 }, async () => {
      await this.process.clock.sleep(this.#world.between(0, 2_500));
      await this.#heartbeat(task);
    });
    await Promise.all(heartbeats);
  }

  /** Sends a heartbeat. Returns false if the worker must stop the attempt. */
  async #heartbeat({ lease }: Assignment): Promise<boolean> {
    const call = this.#transport.call(WorkerService.method.heartbeat, { items: [{ lease }] }, { timeoutMs });
    const response = await call.catch((thrown: unknown) => rethrowUnlessTransient(thrown, 'a heartbeat'));
    const verdict = response?.answers[0]?.verdict;
    return verdict !== HeartbeatVerdict.CANCEL && verdict !== HeartbeatVerdict.LEASE_LOST;
  }

  async #settle(task: Assignment): Promise<void> {
    const { lease, attempt } = task;
    const result = resultOf(task);
    const world = this.#world;
    const succeeds = attempt > 3 || !world.hasFaults || world.chance(0.7);
    const reason = world.pick(failures) ?? FailReason.RETRY;
    const afterMs = reason === FailReason.SNOOZE ? BigInt(delayAheadMs(world)) : 0n;
    for (;;) {
      const call = succeeds
        ? this.#transport.call(WorkerService.method.succeedTask, { lease, result }, { timeoutMs })
        : this.#transport.call(
            WorkerService.method.failTask,
            { lease, reason, afterMs, message: 'no', begun: true },
            { timeoutMs },
          );
      const response = await call.catch((thrown: unknown) =>
        isFinal(thrown) ? 'refused' : rethrowUnlessTransient(thrown, 'a settlement'),
      );
      if (response !== undefined) return;
      // After a failed call it is unknown whether the settlement took effect, so the same outcome of the attempt is sent
      // again.
      await this.process.clock.sleep(world.between(200, 3_000));
    }
  }
}

/**
 * Returns how long, in ms, an attempt without heartbeats runs: until about the time at which its lease expires, or well
 * past that time.
 */
function unresponsiveMs(world: World): number {
  return world.between(30_500, world.chance(0.6) ? 33_000 : 60_000);
}

function inputOf({ spec }: Assignment): JobInput {
  return JSON.parse(new TextDecoder().decode(spec?.payload?.bytes)) as JobInput;
}

function resultOf(task: Assignment) {
  const { n } = inputOf(task);
  const result: JobResult = { n, fencingToken: Number(task.fencingToken) };
  return { contentType: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(result)) };
}

function isFinal(thrown: unknown): boolean {
  return (
    thrown instanceof HoldfastError &&
    (thrown.reason === 'LEASE_LOST' || thrown.reason === 'OUTCOME_RECORDED')
  );
}
