/** Reads the tasks of deliveries, for their claims: when they are claimed, or when they are received ahead. */
import type { Delivery } from '../../ports/broker.ts';
import type { ServiceContext } from '../context.ts';
import { type ReadResult, readEach } from '../read-each.ts';

/**
 * The tasks whose reads began when the broker received their messages ahead, before the worker had room for them. The
 * claim is then one write, without a read before it.
 */
export interface ReadAhead {
  /** Begins to read the tasks that are delivered for the first time. The other ones may change until they are claimed. */
  begin(deliveries: readonly Delivery[]): void;
  /** Returns the read task of a delivery, or undefined if it was not read ahead or could not be read. */
  of(delivery: Delivery): Promise<ReadResult> | undefined;
}

/**
 * Returns true for the first delivery after a task's submission. The task is almost always unchanged then, so its head is
 * not read.
 */
function isFirstDelivery({ message, receiveCount }: Delivery): boolean {
  return message.reason === 'submit' && receiveCount === 1;
}

function readAsSubmitted(
  { store, clock }: ServiceContext,
  deliveries: readonly Delivery[],
): Promise<readonly ReadResult[]> {
  const ids = deliveries.map(({ message }) => message.id);
  return readEach(ids, async (some) => (await store.readAsSubmitted?.(some, clock.now())) ?? []);
}

/** Returns the reads ahead of one worker, or undefined if the store has no cheaper read of a task as it was submitted. */
export function readAheadOf(context: ServiceContext): ReadAhead | undefined {
  if (context.store.readAsSubmitted === undefined) return undefined;
  const reads = new WeakMap<Delivery, Promise<ReadResult>>();
  return {
    begin(deliveries) {
      const first = deliveries.filter(isFirstDelivery);
      if (first.length === 0) return;
      // A failed read is repeated by the claim, which reports its failure.
      const read = readAsSubmitted(context, first).catch((): readonly ReadResult[] => []);
      first.forEach((delivery, i) => {
        reads.set(
          delivery,
          read.then((results) => results[i]),
        );
      });
    },
    of: (delivery) => reads.get(delivery),
  };
}

/** Reads the tasks of these deliveries. The result of a task that is not in the store is undefined. */
export async function readSnapshots(
  context: ServiceContext,
  deliveries: readonly Delivery[],
  readAhead?: ReadAhead,
): Promise<ReadonlyMap<Delivery, ReadResult>> {
  const { store, clock } = context;
  const found = new Map<Delivery, ReadResult>();
  for (const delivery of readAhead === undefined ? [] : deliveries) {
    const result = await readAhead?.of(delivery);
    if (result !== undefined) found.set(delivery, result);
  }
  const left = deliveries.filter((delivery) => !found.has(delivery));
  const first = store.readAsSubmitted === undefined ? [] : left.filter(isFirstDelivery);
  const rest = first.length === 0 ? left : left.filter((delivery) => !isFirstDelivery(delivery));
  const nowMs = clock.now();
  const ids = rest.map(({ message }) => message.id);
  const [asSubmitted, read] = await Promise.all([
    first.length === 0 ? [] : readAsSubmitted(context, first),
    rest.length === 0 ? [] : readEach(ids, (some) => store.read(some, nowMs)),
  ]);
  first.forEach((delivery, i) => void found.set(delivery, asSubmitted[i]));
  rest.forEach((delivery, i) => void found.set(delivery, read[i]));
  return found;
}
