import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { ttlName } from '../schema/keys.ts';
import { nonceName } from './nonces.ts';
import { b, type HeadAttributes, n } from './rows.ts';

/**
 * How a write changes the tip, which is the list of events stored in a task's head. `grow` appends events to the
 * stored tip. `begin` writes a new tip that starts with `kept`: no events, or the few newest ones after the older ones
 * were copied to an item of their own.
 */
export type TipUpdate =
  | { readonly how: 'grow'; readonly events: readonly Uint8Array[] }
  | { readonly how: 'begin'; readonly kept: readonly Uint8Array[]; readonly events: readonly Uint8Array[] };

export interface HeadUpdate {
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

const list = (events: readonly Uint8Array[]): AttributeValue => ({ L: events.map(b) });

/**
 * Builds the UpdateItem expression that writes a task's head. Only the two `list_append` expressions here ever change
 * the tip (the events in the head), because a written event never changes. Without a `revision` the stored revision
 * rises by one. `result` only adds attributes.
 */
export function headUpdate(
  attributes: HeadAttributes,
  tip: TipUpdate,
  revision: number | undefined,
  nonce: AttributeValue,
  result: HeadAttributes = {},
): HeadUpdate {
  const sets: string[] = [];
  const removes: string[] = [];
  const names: Record<string, string> = {};
  const values: Record<string, AttributeValue> = {};
  const whole: HeadAttributes = { ...attributes, ...result, [nonceName]: nonce };
  for (const [name, value] of Object.entries(whole)) {
    names[`#${name}`] = name;
    if (value === undefined) removes.push(`#${name}`);
    else {
      sets.push(`#${name} = :${name}`);
      values[`:${name}`] = value;
    }
  }
  names['#rv'] = 'rv';
  sets.push(revision === undefined ? '#rv = #rv + :one' : '#rv = :rv');
  values[revision === undefined ? ':one' : ':rv'] = n(revision ?? 1);
  if (tip.how === 'begin' || tip.events.length > 0) {
    names['#ev'] = 'ev';
    values[':events'] = list(tip.events);
    if (tip.how === 'begin') values[':kept'] = list(tip.kept);
    sets.push(`#ev = list_append(${tip.how === 'begin' ? ':kept' : '#ev'}, :events)`);
  }
  const removal = removes.length === 0 ? '' : ` REMOVE ${removes.join(', ')}`;
  return {
    UpdateExpression: `SET ${sets.join(', ')}${removal}`,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}

/**
 * Attributes to remove when the first head of a task replaces the head of an older task of the same idempotency key.
 */
export const cleared: HeadAttributes = { rs: undefined, rz: undefined, rn: undefined, [ttlName]: undefined };
