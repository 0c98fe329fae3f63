/** Submits the tasks of the benchmark: one per call by many callers, or in batches. */
import { Submitter } from '../src/client/submit/submitter.ts';
import type { Transport } from '../src/client/transport.ts';
import { noOptions } from '../src/core/codec/options.ts';
import { encodeSpec } from '../src/core/codec/spec.ts';
import type { SubmitItem } from '../src/core/messages.ts';
import { systemClock } from '../src/platform/clock.ts';

const bytes = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(188) }));
const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
const spec = encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: undefined, payload });
/** The number of tasks in one batch. */
export const bulkItems = 100;

/** The kind of idempotency keys: ascending ones, or random UUIDs, which the store inserts at random places. */
export type Keys = 'ordered' | 'random';
let counter = 0;

function item(keys: Keys): SubmitItem {
  const key = keys === 'random' ? crypto.randomUUID() : `k${String(counter++).padStart(12, '0')}`;
  return { key, spec, options: noOptions, traceparent: '' };
}

/**
 * Submits `count` tasks by `callers` concurrent callers, each of which waits for its answer before its next task.
 * Returns the duration in seconds.
 */
export async function singly(
  transport: Transport,
  queue: string,
  count: number,
  callers: number,
  keys: Keys,
): Promise<number> {
  const submitter = new Submitter({ transport, clock: systemClock(), tenant: '', retryForMs: 30_000 });
  let left = count;
  const beganMs = performance.now();
  const caller = async (): Promise<void> => {
    while (left-- > 0) await submitter.submit(queue, item(keys));
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
