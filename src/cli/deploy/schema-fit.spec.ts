import { expect, it } from 'vitest';
import { type FoundSchema, schemaFit, schemasReadBy } from './schema-fit.ts';

const image = (labels: Readonly<Record<string, string>> | undefined) => ({
  ...{ tag: '1.0.0', digest: 'sha256:1', labels, fault: labels === undefined ? 'no answer' : undefined },
});
const verdictOf = (labels: Readonly<Record<string, string>> | undefined, schema: FoundSchema) =>
  schemaFit(image(labels), { name: 'jobs', schema }).verdict;

it('the labels of an image say which schemas it reads: the range, else the one that it writes', () => {
  expect(schemasReadBy({ 'io.holdfast.schema': '3' })).toEqual({ from: 3, to: 3 });
  expect(schemasReadBy({ 'io.holdfast.schema': '3', 'io.holdfast.reads-schema': '2-3' })).toEqual({
    from: 2,
    to: 3,
  });
  expect(schemasReadBy({ 'io.holdfast.reads-schema': '4' })).toEqual({ from: 4, to: 4 });
  for (const text of ['', 'three', '3-', '-3', '4-3', '1.5', '99999999999'])
    expect(schemasReadBy({ 'io.holdfast.schema': text }), text).toBeUndefined();
  expect(schemasReadBy({})).toBeUndefined();
});

it('an image fits a table whose schema it reads, and no other', () => {
  const labels = { 'io.holdfast.schema': '3', 'io.holdfast.reads-schema': '2-3' };
  expect(verdictOf(labels, { number: 2 })).toBe('fits');
  expect(verdictOf(labels, { number: 3 })).toBe('fits');
  expect(verdictOf(labels, { number: 4 })).toBe('refused');
  expect(verdictOf(labels, { number: 1 })).toBe('refused');
});

it('without labels or without the schema of the table it is not known whether an image fits', () => {
  expect(verdictOf(undefined, { number: 1 })).toBe('unknown');
  expect(verdictOf({}, { number: 1 })).toBe('unknown');
  expect(verdictOf({ 'io.holdfast.schema': '1' }, { fault: 'denied' })).toBe('unknown');
});

it('an image of a process that opens no table fits whatever its labels are', () => {
  expect(schemaFit(image(undefined), undefined).verdict).toBe('fits');
});
