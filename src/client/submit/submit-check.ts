/**
 * Checks the options of a submission before it joins a batch. A batch is encoded as a whole: one value that cannot be
 * encoded would fail all its submissions. The types are `unknown`, because a JavaScript caller may pass anything.
 */

import { limits } from '../../core/limits.ts';
import { type FieldRules, ifGiven, name, text, Violations } from '../../core/rules.ts';
import { optionRules, tag, tagCount } from '../../core/submission/field-rules.ts';
import { kindOf, stringRule } from '../contract/untyped-values.ts';

/** The fields of a submission that must be checked before it is sent. */
export interface SendableFields {
  readonly idempotencyKey: unknown;
  readonly queue: unknown;
  readonly orderingKey: unknown;
  readonly priority: unknown;
  readonly whenDead: unknown;
  readonly tags: unknown;
  readonly parentId: unknown;
  readonly traceparent: unknown;
}

const key = stringRule(text(limits.keyChars));
const rules = {
  idempotencyKey: key,
  queue: stringRule(name()),
  orderingKey: ifGiven(key),
  priority: ifGiven(stringRule(optionRules.priority)),
  whenDead: ifGiven(stringRule(optionRules.whenDead)),
  parentId: ifGiven(key),
  traceparent: ifGiven(key),
} satisfies FieldRules<Omit<SendableFields, 'tags'>>;
const tagRule = stringRule(tag);

/**
 * Checks that every field can be encoded and has an allowed value.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_FIELD, listing every wrong field.
 */
export function ensureSendable(fields: SendableFields): void {
  const { tags } = fields;
  const found = new Violations();
  if (Array.isArray(tags)) found.addList('tags', tags, tagCount, tagRule);
  else if (tags !== undefined) found.add('tags', `is ${kindOf(tags)}; give a list of strings`);
  // A loop over the fields would take half as long again, and this code runs for each submission.
  found.add('idempotencyKey', rules.idempotencyKey(fields.idempotencyKey));
  found.add('queue', rules.queue(fields.queue));
  found.add('orderingKey', rules.orderingKey(fields.orderingKey));
  found.add('priority', rules.priority(fields.priority));
  found.add('whenDead', rules.whenDead(fields.whenDead));
  found.add('parentId', rules.parentId(fields.parentId));
  found.add('traceparent', rules.traceparent(fields.traceparent));
  found.throwIfAny();
}
