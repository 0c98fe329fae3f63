import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Transition } from '../../../../ports/task-store.ts';
import { letterOf } from './head-codec.ts';
import { n, s } from './rows.ts';

export interface Condition {
  readonly expression: string;
  readonly values: Record<string, AttributeValue>;
}

/** No head of this acceptance, or one that nobody touched since the submission. A newer acceptance's stays. */
const unborn = 'attribute_not_exists(pk) OR #at < :at OR (#at = :at AND #rv = :expect)';

/** Names and `:at` are those of the head's update. `before`: number of events that the change follows. */
export function conditionOf({ expect }: Transition, before: number): Condition {
  if (!('revision' in expect)) {
    return {
      expression: '#at = :at AND #st = :running AND #tk = :expect AND #v = :before',
      values: { ':running': s(letterOf('running')), ':expect': n(expect.fencingToken), ':before': n(before) },
    };
  }
  if (expect.revision === 1) return { expression: unborn, values: { ':expect': n(1) } };
  return {
    expression: '#at = :at AND #rv = :expect AND #v = :before',
    values: { ':expect': n(expect.revision), ':before': n(before) },
  };
}
