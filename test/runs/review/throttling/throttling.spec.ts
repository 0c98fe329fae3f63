import { expect, it } from 'vitest';
import { missingInSequence, sequence } from './throttling.ts';

it('the sequence of an overload is complete if each part has a line behind the part before it', () => {
  const lines = sequence.map((part, i) => `   ${i}.0 api    ${part} {}`);
  expect(missingInSequence(lines)).toEqual([]);
  expect(missingInSequence(lines.slice(0, -1))).toEqual([sequence.at(-1)]);
  expect(missingInSequence(lines.toReversed())).toHaveLength(sequence.length - 1);
});
