/** Submits the tasks of the benchmark: one per call by many callers, or in batches. */
import { Submitter } from '../src/client/submit/submitter.ts';
import type { Transport } from '../src/client/transport.ts';
import { noOptions } from '../src/core/codec/options.ts';
import { encodeSpec } from '../src/core/codec/spec.ts';
import type { SubmitItem } from '../src/core/messages.ts';
import { systemClock } from '../src/platform/clock.ts';

const bytes = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(188) }));
const spec = specOf(bytes);
/** The number of tasks in one batch. */
export const bulkItems = 100;

/** The kind of idempotency keys: ascending ones, or random UUIDs, which the store inserts at random places. */
export type Keys = 'ordered' | 'random';
let counter = 0;

/** Returns the spec of a task with this payload, which is JSON. */
export function specOf(payloadBytes: Uint8Array): Uint8Array {
  const payload = {
    contentType: 'application/json',
    encoding: '',
    keyId: '',
    bytes: payloadBytes,
    reference: '',
  };
  return encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: undefined, payload });
}

/** Returns a submission with a new key: of the usual 200 bytes, or of another spec. */
export function item(keys: Keys, ofSpec = spec): SubmitItem {
  const key = keys === 'random' ? crypto.randomUUID() : `k${String(counter++).padStart(12, '0')}`;
  return { key, spec: ofSpec, options: noOptions, traceparent: '' };
}

/**
 * Submits `count` tasks by `callers` concurrent callers, each of which waits for its answer before its next task. With several
 * queues the tasks go to them in turn. Returns the duration in seconds.
 */
export async function singly(
  transport: Transport,
  queue: string | readonly string[],
  count: number,
  callers: number,
  keys: Keys,
): Promise<number> {
  const submitter = new Submitter({ transport, clock: systemClock(), tenant: '', retryForMs: 30_000 });
  const queues = typeof queue === 'string' ? [queue] : queue;
  let left = count;
  const beganMs = performance.now();
  const caller = async (): Promise<void> => {
    while (left-- > 0) await submitter.submit(queues[left % queues.length] ?? '', item(keys));
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (performance.now() - beganMs) / 1_000;
}

/** Submits `count` tasks in batches of 100 by `callers` concurrent callers. Returns the duration in seconds. */
export async function bulk(
  transport: Transport,
  queue: string,
  count: number,
  callers: number,
): Promise<number> {
  let left = count;
  const beganMs = performance.now();
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= bulkItems;
      const items = Array.from({ length: bulkItems }, () => item('ordered'));
      const { results } = await transport.submit({ tenant: '', queue, items }, {});
      for (const { error } of results) if (error !== undefined) throw new Error(error.message);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (performance.now() - beganMs) / 1_000;
}
