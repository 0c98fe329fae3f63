/** A queue of a tenant. */
export interface QueueRef {
  readonly tenant: string;
  readonly queue: string;
}

/** Returns the queue as text, for keys of maps and of the registry. Names hold no slash, so no two queues share a key. */
export function queueKey({ tenant, queue }: QueueRef): string {
  return `${tenant}/${queue}`;
}

export function isSameQueue(one: QueueRef, other: QueueRef): boolean {
  return one.tenant === other.tenant && one.queue === other.queue;
}
