import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import {
  expiry,
  type OptionsRequest,
  resolveOptions,
  type Submission,
  submittedEvent,
} from '../../src/core/submission/submission.ts';
import type { QueueRef } from '../../src/ports/task-store.ts';

export interface Asked {
  readonly key?: string;
  readonly tenant?: string;
  readonly queue?: string;
  readonly type?: string;
  readonly typeVersion?: number;
  readonly orderingKey?: string | undefined;
  readonly payload?: Uint8Array;
  readonly traceparent?: string;
  readonly options?: Partial<OptionsRequest>;
}

export const queue: QueueRef = { tenant: 'acme', queue: 'mail' };

/** What a caller asks for, under a key and at a time; what it leaves open is alike for all. */
export function submissionOf(asked: Asked, key: string, nowMs: number): Submission {
  const { type = 'send', typeVersion = 1, orderingKey } = asked;
  const { traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03' } = asked;
  const bytes = asked.payload ?? new TextEncoder().encode('{"to":"ann"}');
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const options = resolveOptions({ ...noOptions, ...asked.options }, nowMs);
  return {
    scope: {
      tenant: asked.tenant ?? queue.tenant,
      queue: asked.queue ?? queue.queue,
      key,
    },
    spec: encodeSpec({ type, typeVersion, orderingKey, payload }),
    type,
    typeVersion,
    orderingKey,
    options,
    traceparent,
    acceptedAtMs: nowMs,
    expiresAtMs: expiry(options, nowMs),
    submitted: submittedEvent(options, nowMs, orderingKey),
  };
}
