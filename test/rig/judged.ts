/** What the validator says of messages, as lines `field: description`. */
import { encodeSpec, type Spec } from '../../src/core/codec/spec.ts';
import type { HoldfastError } from '../../src/core/errors.ts';
import type { SubmitItem } from '../../src/core/messages.ts';
import { submitItem } from '../../src/rpc/api/tables.ts';
import { judge } from '../../src/rpc/api/validate.ts';
import { item, payload } from './api-node.ts';

export const nowMs = Date.UTC(2026, 0, 1);
export const day = 86_400_000;

export function told(error: HoldfastError | undefined): string[] {
  return (error?.violations ?? []).map((v) => `${v.field}: ${v.description}`);
}

/** Of the fourth item of a call. */
export function submission(more: Partial<SubmitItem>): HoldfastError | undefined {
  return judge(submitItem, item('k', more), 'items[3]', nowMs);
}

export function specWith(more: Partial<Spec>): HoldfastError | undefined {
  const spec: Spec = { type: 't', typeVersion: 1, orderingKey: undefined, payload: payload('1'), ...more };
  return submission({ spec: encodeSpec(spec) });
}
