import { randomBytes } from 'node:crypto';
import { payloads } from '../../examples/demo/payloads.ts';
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { SubmitItem } from '../../src/core/messages.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import type { Clock } from '../../src/ports/clock.ts';

/** Returns the bytes of the i-th task's payload. */
export type PayloadOf = (i: number) => Uint8Array;

/** Returns a payload of 200 random bytes. */
export const small: PayloadOf = () => randomBytes(200);
/** Returns a payload of 1 KiB of random bytes. */
export const oneKb: PayloadOf = () => randomBytes(1_024);

const webhooks = payloads().map((delivery) => new TextEncoder().encode(JSON.stringify(delivery)));
/** Returns one of the real webhooks of the demo as a payload: JSON of 10 KB on average. */
export const demo: PayloadOf = (i) => webhooks[i % webhooks.length] as Uint8Array;
/** The number of the demo's webhooks. */
export const demoTasks: number = webhooks.length;

/** The name of the task type of all measured tasks. */
export const taskType = 'deliver';

/** Builds a submission with an idempotency key of 36 characters, like those that the SDK generates. */
export function itemOf(
  clock: Clock,
  bytes: Uint8Array,
  options: Partial<OptionsRequest> = {},
  orderingKey?: string,
): SubmitItem {
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const spec = encodeSpec({ type: taskType, typeVersion: 1, orderingKey, payload });
  const submitOptions = Object.keys(options).length === 0 ? noOptions : { ...noOptions, ...options };
  return { key: clock.uuid(), spec, options: submitOptions, traceparent: '' };
}
