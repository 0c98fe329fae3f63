import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Transition } from '../../../../ports/task-store.ts';
import { letterOf } from './head-codec.ts';
import { n, s } from './rows.ts';

export interface Condition {
  readonly expression: string;
  readonly values: Record<string, AttributeValue>;
}

/**
 * DynamoDB condition of a task's first change (at revision 1): the task has no head item yet, or a head that nobody
 * has changed since the submission. The head of an older task of the same key may be overwritten, the head of a newer
 * task may not.
 */
const untouched = 'attribute_not_exists(pk) OR #at < :at OR (#at = :at AND #rv = :expect)';

/**
 * Builds the DynamoDB condition under which a change of a task is written. The attribute names and `:at` come from the
 * update of the head item; `before` is the task's number of events before the change.
 */
export function conditionOf({ expect }: Transition, before: number): Condition {
  if (!('revision' in expect)) {
    return {
      expression: '#at = :at AND #st = :running AND #tk = :expect AND #v = :before',
      values: { ':running': s(letterOf('running')), ':expect': n(expect.fencingToken), ':before': n(before) },
    };
  }
  if (expect.revision === 1) return { expression: untouched, values: { ':expect': n(1) } };
  return {
    expression: '#at = :at AND #rv = :expect AND #v = :before',
    values: { ':expect': n(expect.revision), ':before': n(before) },
  };
}
