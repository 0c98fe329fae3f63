/** Tests what `npm run test:backends` reads and decides without any program: answers of Jaeger, and the runbooks' queries. */
import { expect, it } from 'vitest';
import { referencesOf, spansOf } from './jaeger-answers.ts';
import { emptyHere, runbookQueries, withoutThreshold } from './runbook-queries.ts';
import { settled, tracesIn } from './searches.ts';

it('the spans of a trace of Jaeger have their attributes, their links and the name of their process', () => {
  const span = {
    ...{ traceId: 'aa', spanId: 'bb', parentSpanId: 'cc', name: 'process mail', kind: 5 },
    ...{ startTimeUnixNano: '1796087500167123456', endTimeUnixNano: '1796087500168000000' },
    attributes: [
      { key: 'holdfast.attempt', value: { intValue: '2' } },
      { key: 'holdfast.outcome', value: { stringValue: 'failed' } },
      { key: 'holdfast.deduplicated', value: { boolValue: false } },
    ],
    links: [{ traceId: 'dd', spanId: 'ee' }],
    status: { code: 2, message: 'no paper' },
  };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'holdfast-worker' } }] };
  const answer = { result: { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] } };
  expect(spansOf(answer)).toEqual([
    {
      ...{ traceId: 'aa', spanId: 'bb', parentId: 'cc', name: 'process mail', kind: 'consumer' },
      ...{ startMs: 1_796_087_500_167.123, endMs: 1_796_087_500_168 },
      attributes: { 'holdfast.attempt': 2, 'holdfast.outcome': 'failed', 'holdfast.deduplicated': false },
      links: [{ traceId: 'dd', spanId: 'ee' }],
      ...{ status: 'error', statusMessage: 'no paper', resource: { 'service.name': 'holdfast-worker' } },
    },
  ]);
  expect(spansOf({})).toEqual([]);
});

it('a link is a reference that follows from another span in the legacy form of a trace', () => {
  const references = [{ refType: 'FOLLOWS_FROM', traceID: 'dd', spanID: 'ee' }];
  const answer = { data: [{ traceID: 'aa', spans: [{ spanID: 'bb', references }, { spanID: 'root' }] }] };
  expect(referencesOf(answer)).toEqual([
    { spanId: 'bb', kind: 'FOLLOWS_FROM', toTraceId: 'dd', toSpanId: 'ee' },
  ]);
  expect(tracesIn(answer)).toEqual(['aa']);
  expect(tracesIn({ data: null })).toEqual([]);
});

it.each([
  [
    'max by (queue) (holdfast_queue_oldest_ready_age_seconds) > 60',
    'max by (queue) (holdfast_queue_oldest_ready_age_seconds)',
  ],
  ['up == 0', 'up'],
  ['sum(rate(x[5m]))', 'sum(rate(x[5m]))'],
])('a query without its threshold finds values that are as they should be: %s', (query, expected) => {
  expect(withoutThreshold(query)).toBe(expected);
});

it('every reason for which a query of a runbook finds nothing belongs to such a query', () => {
  const texts = runbookQueries.map(({ text }) => text);
  const unused = Object.keys(emptyHere).filter((part) => !texts.some((text) => text.includes(part)));
  expect(unused).toEqual([]);
  expect(new Set(runbookQueries.map(({ language }) => language))).toEqual(
    new Set(['jaeger', 'logsql', 'promql']),
  );
});

it('a check is repeated until nothing is missing, and an error is something that is missing', async () => {
  let count = 0;
  const found = await settled(5_000, async () => {
    count++;
    if (count === 1) throw new Error('not yet');
    return [];
  });
  expect([found, count]).toEqual([[], 2]);
  expect(await settled(0, () => Promise.reject(new Error('never')))).toEqual(['never']);
});
