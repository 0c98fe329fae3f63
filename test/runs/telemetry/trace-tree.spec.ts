import { expect, it } from 'vitest';
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { orphansOf, tracesOf, treeOf } from './trace-tree.ts';

function span(
  traceId: string,
  spanId: string,
  parentId: string,
  more: Partial<ReceivedSpan> = {},
): ReceivedSpan {
  const none = { attributes: {}, links: [], status: 'unset', statusMessage: '', resource: {} } as const;
  return {
    ...none,
    traceId,
    spanId,
    parentId,
    name: spanId,
    kind: 'internal',
    startMs: 0,
    endMs: 1,
    ...more,
  };
}

it('a span is an orphan if its parent, or the span that it links to, was not received', () => {
  const spans = [
    span('t', 'root', ''),
    span('t', 'child', 'root'),
    span('t', 'lost', 'missing'),
    span('u', 'elsewhere', 'root'),
    span('v', 'linked', '', { links: [{ traceId: 't', spanId: 'root' }] }),
    span('v', 'astray', '', { links: [{ traceId: 't', spanId: 'missing' }] }),
  ];
  expect(orphansOf(spans).map(({ spanId }) => spanId)).toEqual(['lost', 'elsewhere', 'astray']);
});

it('the traces of a task are those in which a span names it, the earliest first', () => {
  const attributes = { 'holdfast.task.id': 'a' };
  const spans = [
    span('later', 'x', '', { attributes, startMs: 2 }),
    span('first', 'y', '', { attributes, startMs: 1 }),
    span('other', 'z', '', { attributes: { 'holdfast.task.id': 'b' } }),
  ];
  expect(tracesOf(spans, 'a')).toEqual(['first', 'later']);
});

it('a tree shows each span under its parent, and a span without its parent at the first level', () => {
  const spans = [
    span('t', 'leaf', 'root', { startMs: 1 }),
    span('t', 'root', ''),
    span('t', 'alone', 'missing'),
  ];
  expect(treeOf(spans, 't').map((line) => line.split(/ {2,}(?=\S)/)[0] || line.trim().split(' ')[0])).toEqual(
    ['root', 'leaf', 'alone'],
  );
});
