/** A queue of a tenant. */
export interface QueueRef {
  readonly tenant: string;
  readonly queue: string;
}

/**
 * Returns a queue as the text `tenant/queue`, for keys of maps and of the registry. Names have no slash, so no two
 * queues share a key.
 */
export function queueKey({ tenant, queue }: QueueRef): string {
  return `${tenant}/${queue}`;
}

export function isSameQueue(one: QueueRef, other: QueueRef): boolean {
  return one.tenant === other.tenant && one.queue === other.queue;
}

/**
 * Returns at most `limit` of the items in turns by queue: the first one of each queue, then the second ones, and so on. The
 * items of a queue keep their order.
 */
export function inTurnsByQueue<T>(
  items: readonly T[],
  queueOf: (item: T) => QueueRef,
  limit: number,
): readonly T[] {
  const byQueue = new Map<string, T[]>();
  for (const item of items) {
    const key = queueKey(queueOf(item));
    const ofQueue = byQueue.get(key);
    if (ofQueue === undefined) byQueue.set(key, [item]);
    else ofQueue.push(item);
  }
  if (byQueue.size <= 1) return items.slice(0, limit);
  const inTurns: T[] = [];
  for (let place = 0; inTurns.length < Math.min(limit, items.length); place++)
    for (const ofQueue of byQueue.values()) inTurns.push(...ofQueue.slice(place, place + 1));
  return inTurns.slice(0, limit);
}
