/** Submits and processes tasks like the SDK, each through the service of the given node. */
import type { Assignment, OutcomeKind, Settlement, SubmitItem } from '../../src/core/messages.ts';
import type { QueueRef } from '../../src/core/queue-ref.ts';
import type { Session } from '../../src/service/service.ts';
import type { CostNode } from './cost-table.ts';
import { taskType } from './payloads.ts';

/**
 * The batch size. `full`: calls of 100 tasks and a worker with 100 slots. `single`: calls of one task, and one slot.
 */
export type Batches = 'full' | 'single';
const sizes = { full: 100, single: 1 } as const;
const bytesOfCredit = 64_000_000;
const pollMs = 2;

/** Submits the items in batches and returns the task ids. */
export async function submitAll(
  { service }: CostNode,
  queue: QueueRef,
  items: readonly SubmitItem[],
  batches: Batches,
): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < items.length; i += sizes[batches]) {
    const batch = items.slice(i, i + sizes[batches]);
    for (const result of await service.submit(queue, batch, { notAfterMs: undefined })) {
      if (result.error !== undefined) throw new Error(result.error.message);
      ids.push(result.id);
    }
  }
  return ids;
}

/** Returns the settlement of an assigned task. */
export function settlementOf({ lease }: Assignment, outcome: OutcomeKind = 'succeeded'): Settlement {
  const failed = outcome === 'failed';
  const message = failed ? 'the receiver answered 503 Service Unavailable' : '';
  return {
    lease,
    outcome,
    result: undefined,
    message,
    errorType: failed ? 'Error' : '',
    afterMs: undefined,
    begun: false,
  };
}

/**
 * Settles the tasks in one call. With a session id, the worker's session gets the tasks' credits back, so
 * that it may be given as many further tasks.
 */
export async function settleAll(
  { service }: CostNode,
  tasks: readonly Assignment[],
  sessionId: string | undefined,
  outcome?: OutcomeKind,
): Promise<void> {
  const items = tasks.map((task) => settlementOf(task, outcome));
  const { results } = await service.settle(items, { tenant: 'default', sessionId });
  for (const { error } of results) if (error !== undefined) throw new Error(error.message);
}

/** Opens the session of a worker. `onAssigned` is called with the assigned tasks. */
export function openWorker(
  { service, context }: CostNode,
  queues: readonly QueueRef[],
  slots: number,
  onAssigned: (tasks: readonly Assignment[], session: Session) => Promise<void>,
): Session {
  const hello = {
    tenant: 'default',
    workerName: 'worker-1',
    workerId: context.clock.uuid(),
    queues: queues.map(({ queue }) => queue),
    types: [{ type: taskType, maxVersion: 1 }],
    tasks: slots,
    bytes: bytesOfCredit,
    reportsBegun: false,
  };
  const session = service.openSession(hello, {
    assign(seq, tasks) {
      session.received(seq);
      void onAssigned(tasks, session);
    },
    cancel() {},
    drain() {},
  });
  return session;
}

/** Runs a worker until it has settled this number of attempts. */
export async function work(
  node: CostNode,
  queue: QueueRef,
  attempts: number,
  batches: Batches,
  outcome?: OutcomeKind,
): Promise<void> {
  let settled = 0;
  let failure: unknown;
  const session = openWorker(node, [queue], sizes[batches], async (tasks, { id }) => {
    try {
      await settleAll(node, tasks, id, outcome);
      settled += tasks.length;
    } catch (thrown) {
      failure = thrown;
    }
  });
  while (settled < attempts && failure === undefined) {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  session.close();
  await node.settled();
  if (failure !== undefined) throw failure;
}

/** Claims this number of tasks and returns them without settling them. */
export async function claimAll(node: CostNode, queue: QueueRef, count: number): Promise<Assignment[]> {
  const held: Assignment[] = [];
  const session = openWorker(node, [queue], count, async (tasks) => void held.push(...tasks));
  while (held.length < count) await new Promise((resolve) => setTimeout(resolve, pollMs));
  session.close();
  await node.settled();
  return held;
}
