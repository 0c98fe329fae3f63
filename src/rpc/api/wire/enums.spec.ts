import { expect, test } from 'vitest';
import { priorityNumbers, stateNumbers, whenDeadNumbers } from '../../../core/wire-numbers.ts';
import { Priority, TaskState, WhenDead } from '../../gen/holdfast/v1/task_pb.ts';

/** The numbers of a generated enumeration by their words, without UNSPECIFIED. */
function numbersOf(generated: Readonly<Record<string, number | string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(generated)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] !== 0)
      .map(([word, number]) => [word.toLowerCase(), number]),
  );
}

test('the numbers of the core are those of the generated code', () => {
  expect(numbersOf(Priority)).toEqual(priorityNumbers);
  expect(numbersOf(TaskState)).toEqual(stateNumbers);
  expect(numbersOf(WhenDead)).toEqual(whenDeadNumbers);
});
