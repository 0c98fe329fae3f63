import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Transition } from '../../../../ports/task-store.ts';
import { letterOf } from './head-codec.ts';
import { n, s } from './rows.ts';

export interface Condition {
  readonly expression: string;
  readonly values: Record<string, AttributeValue>;
}

/**
 * Condition of a change at revision 1: the task has no head yet, or a head that nobody has changed since the
 * submission. A head of an older acceptance may be overwritten, one of a newer acceptance may not.
 */
const untouched = 'attribute_not_exists(pk) OR #at < :at OR (#at = :at AND #rv = :expect)';

/**
 * Builds the condition of a transition. The attribute names and `:at` come from the head's update; `before` is the
 * number of events before the change.
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
