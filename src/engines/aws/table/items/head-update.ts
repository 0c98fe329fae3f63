import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { ttlName } from '../schema/keys.ts';
import { nonceName } from './nonces.ts';
import { b, type HeadAttributes, n } from './rows.ts';

/**
 * `grow`: the events follow those that stand. `begin`: they follow none, or the few newest ones that are kept where
 * the older ones were written to an item of their own first.
 */
export type Tip =
  | { readonly how: 'grow'; readonly events: readonly Uint8Array[] }
  | { readonly how: 'begin'; readonly kept: readonly Uint8Array[]; readonly events: readonly Uint8Array[] };

export interface HeadUpdate {
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

const list = (events: readonly Uint8Array[]): AttributeValue => ({ L: events.map(b) });

/**
 * The only expressions that ever touch a head's tip, both of them `list_append`: an event, once written, is never
 * changed. `revision`: undefined raises the one that stands. A result's attributes are only ever added.
 */
export function headUpdate(
  attributes: HeadAttributes,
  tip: Tip,
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

/** Every name that a head of another acceptance may have left, so that a birth in its place clears them. */
export const cleared: HeadAttributes = { rs: undefined, rz: undefined, rn: undefined, [ttlName]: undefined };
