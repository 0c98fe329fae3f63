import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import type { SubmitItem, SubmitResult } from '../../../src/core/messages.ts';

const payload = {
  contentType: 'application/json',
  encoding: '',
  keyId: '',
  bytes: new TextEncoder().encode('{}'),
  reference: '',
};
const spec = encodeSpec({ type: 'race', typeVersion: 1, orderingKey: undefined, payload });

export function raceItem(i: number): SubmitItem {
  return { key: `race-${i}`, spec, options: noOptions, traceparent: '' };
}

export function acceptedId(result: SubmitResult | undefined): string {
  if (result === undefined || result.error !== undefined)
    throw new Error(result?.error.message ?? 'no answer');
  return result.id;
}
