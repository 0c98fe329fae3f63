import { randomBytes } from 'node:crypto';
import { payloads } from '../../examples/demo/payloads.ts';
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { SubmitItem } from '../../src/core/messages.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import type { Clock } from '../../src/ports/clock.ts';

/** The bytes of the i-th task's payload. */
export type PayloadOf = (i: number) => Uint8Array;

export const small: PayloadOf = () => randomBytes(200);
export const oneKb: PayloadOf = () => randomBytes(1_024);

const webhooks = payloads().map((delivery) => new TextEncoder().encode(JSON.stringify(delivery)));
/** Real webhooks, JSON of 10 KB on average, as the demo sends them. */
export const demo: PayloadOf = (i) => webhooks[i % webhooks.length] as Uint8Array;
/** One of each. */
export const demoTasks: number = webhooks.length;

export const taskType = 'deliver';

/** Keys as the SDK makes them: 36 characters. */
export function itemOf(
  clock: Clock,
  bytes: Uint8Array,
  options: Partial<OptionsRequest> = {},
  orderingKey?: string,
): SubmitItem {
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const spec = encodeSpec({ type: taskType, typeVersion: 1, orderingKey, payload });
  const asked = Object.keys(options).length === 0 ? noOptions : { ...noOptions, ...options };
  return { key: clock.uuid(), spec, options: asked, traceparent: '' };
}
