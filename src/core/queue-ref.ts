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
