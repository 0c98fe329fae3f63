import { expect, test } from 'vitest';
import { priorityNumbers, stateNumbers, whenDeadNumbers } from '../../../core/wire-numbers.ts';
import { Priority, TaskState, WhenDead } from '../../gen/holdfast/v1/task_pb.ts';

/** Returns the numbers of a generated protobuf enumeration by their words, without UNSPECIFIED. */
function numbersOf(generated: Readonly<Record<string, number | string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(generated)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] !== 0)
      .map(([word, number]) => [word.toLowerCase(), number]),
  );
}

test('the enum numbers in core/wire-numbers.ts are the same as in the generated protobuf code', () => {
  expect(numbersOf(Priority)).toEqual(priorityNumbers);
  expect(numbersOf(TaskState)).toEqual(stateNumbers);
  expect(numbersOf(WhenDead)).toEqual(whenDeadNumbers);
});
