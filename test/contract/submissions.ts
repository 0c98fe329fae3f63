import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { QueueRef } from '../../src/core/queue-ref.ts';
import {
  expiry,
  type OptionsRequest,
  resolveOptions,
  type Submission,
  submittedEvent,
} from '../../src/core/submission/submission.ts';

/** The parts of a submission that a test sets. */
export interface SubmissionRequest {
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

/** Builds a submission from a request, a key and a time of acceptance. Fields that the request leaves out have defaults. */
export function submissionOf(request: SubmissionRequest, key: string, nowMs: number): Submission {
  const { type = 'send', typeVersion = 1, orderingKey } = request;
  const { traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03' } = request;
  const bytes = request.payload ?? new TextEncoder().encode('{"to":"ann"}');
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const options = resolveOptions({ ...noOptions, ...request.options }, nowMs);
  return {
    scope: {
      tenant: request.tenant ?? queue.tenant,
      queue: request.queue ?? queue.queue,
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
