import { HoldfastError } from '../../core/errors.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import type { Redispatched, RedispatchRequest } from '../service.ts';
import { areLowest, isDispatchable, sendAgain, sentAtOnce } from './send-again.ts';

/**
 * Sends a dispatch message for every unfinished task of a queue that may be worked on, after an operator has purged the SQS
 * queue or made it anew. Running tasks get a message too: their own would be missing if their worker died. A second message
 * of a task does no harm, so that the call may be repeated.
 *
 * @throws HoldfastError NOT_BUILT if the queue's messages are part of the store, QUEUE_UNKNOWN if the queue does not exist.
 */
export async function redispatch(context: ServiceContext, request: RedispatchRequest): Promise<Redispatched> {
  const { queue, dryRun, signal, onProgress } = request;
  const { store, queues, clock, broker } = context;
  if (store.can.transactionalDispatch) throw noMessages();
  if (!queues.has(queue)) await queues.refresh();
  if (!queues.has(queue)) throw queues.unknownQueue(queue);
  const counts = { examined: 0, needed: 0, sent: 0, failed: 0 };
  // The number is a help for the operator, who may lack the permission to read it. A missing SQS queue is an error.
  const messages = await broker.approximateMessages?.(queue).catch((err: HoldfastError) => {
    if (err.reason === 'QUEUE_UNKNOWN') throw err;
  });
  let firstError: HoldfastError | undefined;
  let cursor: string | undefined;
  do {
    const page = { limit: store.limits.pageItems, cursor, nowMs: clock.now() };
    const { items, examined, cursor: next } = await store.list({ ...queue, state: 'unfinished' }, page);
    counts.examined += examined;
    const wanted = items.filter((one) => isDispatchable(one, page.nowMs));
    for (let from = 0; from < wanted.length && !signal.aborted; from += sentAtOnce)
      await sendSome(wanted.slice(from, from + sentAtOnce));
    cursor = next;
    onProgress?.(counts);
  } while (cursor !== undefined && !signal.aborted);
  return {
    ...queue,
    ...counts,
    messages: messages ?? undefined,
    error: firstError,
    isComplete: cursor === undefined && !signal.aborted,
  };

  async function sendSome(some: readonly Snapshot[]): Promise<void> {
    const results = dryRun ? await areLowest(context, some) : await sendAgain(context, some);
    for (const result of results) {
      if (result !== 'left' && result !== false) counts.needed++;
      if (result === 'sent') counts.sent++;
      if (!(result instanceof HoldfastError)) continue;
      counts.failed++;
      firstError ??= result;
    }
  }
}

function noMessages(): HoldfastError {
  return new HoldfastError(
    'FAILED_PRECONDITION',
    'NOT_BUILT',
    'The messages of this store are part of it, so none can be lost.',
    { help: 'Only queues of the aws engine can be dispatched again.' },
  );
}
