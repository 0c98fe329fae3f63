/** Tests the decision tree on answers that were recorded in drills, and on such answers with other evidence. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { causes } from '../causes.ts';
import type { Recording } from '../record.ts';
import { Investigation } from './investigation.ts';
import type { Sources } from './sources.ts';
import { conclude } from './tree.ts';

const folder = new URL('./recorded/', import.meta.url);
const names = readdirSync(folder).map((file) => file.replace('.json', ''));

function recordingOf(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Recording;
}

/** Changes the answer to a query that contains a text. */
type Change = readonly [queryPart: string, answer: unknown];

function investigate({ alert, factor, answers }: Recording, changes: readonly Change[] = []) {
  const counts = new Map<string, number>();
  const sources: Sources = {
    async answer(language, query) {
      const change = changes.find(([queryPart]) => query.includes(queryPart));
      if (change !== undefined) return change[1];
      // A query that was asked again has an answer each time; the last one holds on.
      const recorded = answers.filter((one) => one.language === language && one.query === query);
      const count = counts.get(query) ?? 0;
      counts.set(query, count + 1);
      const { answer } = recorded[Math.min(count, recorded.length - 1)] ?? {};
      return answer ?? (language === 'sh' ? { status: 0, result: {} } : []);
    },
    async wait() {},
  };
  return new Investigation(alert, sources, factor);
}

const named = (name: string, ...changes: readonly Change[]) =>
  conclude(investigate(recordingOf(name), changes));

it('each cause has recorded answers, and so has a site without a fault', () => {
  expect(new Set(names)).toEqual(new Set([...causes, 'none']));
});

it.each(names)('the recorded answers about %s lead to it', async (name) => {
  expect(await named(name)).toBe(name);
});

it.each(names)(
  'without any answer nothing but the alert speaks for %s, and no cause is named',
  async (name) => {
    const recording = { ...recordingOf(name), answers: [] };
    expect(['unknown', 'none']).toContain(await conclude(investigate(recording)));
  },
);

describe('the evidence decides', () => {
  it('a server that said that it stops was not killed', async () => {
    const line = { _msg: 'the server is stopping; running tasks go on' };
    expect(await named('killed-node', ['{service.name="holdfast-server"}', [line]])).toBe('unknown');
  });

  it('a server of which there is no line may have been stopped', async () => {
    expect(await named('killed-node', ['{service.name="holdfast-server"}', []])).toBe('unknown');
  });

  it('an API that answers has not lost its only server', async () => {
    const answer = { status: 0, result: { groups: [] } };
    expect(await named('killed-node', ['holdfast trouble', answer])).toBe('unknown');
  });

  it('slow attempts without a slow call are no slow dependency', async () => {
    expect(await named('slow-dependency', ['/api/traces', []])).toBe('unknown');
  });

  it('failures of no version, or of a version that also succeeds, are no failing version', async () => {
    expect(await named('failing-version', ['/api/traces', []])).toBe('unknown');
    const attempt = (outcome: string) => ({
      ...{ kind: 'consumer', version: '2', service: 'holdfast-worker' },
      attributes: { 'holdfast.outcome': outcome },
    });
    const both = [attempt('failed'), attempt('succeeded')];
    expect(await named('failing-version', ['/api/traces', both])).toBe('unknown');
  });

  it('queues of SQS that throttle are reachable', async () => {
    const throttles = [{ labels: { operation: 'SendMessageBatch' }, value: 7 }];
    expect(await named('sqs-unreachable', ['holdfast_aws_throttled_total', throttles])).toBe('unknown');
  });

  it('a table that fails and does not throttle is not throttled', async () => {
    expect(await named('table-throttled', ['holdfast_aws_throttled_total', []])).toBe('unknown');
  });

  it('a certificate that is valid has not expired', async () => {
    const valid = [{ labels: { role: 'server' }, value: 300 }];
    expect(await named('expired-certificate', ['holdfast_certificate_expiry_seconds', valid])).toBe(
      'unknown',
    );
  });

  it('a silent worker that answers Prometheus has no blocked thread', async () => {
    const changes: Change[] = [
      ['up == 0', []],
      ['nodejs_eventloop_delay_max_seconds', []],
    ];
    expect(await named('blocked-thread', ...changes)).toBe('unknown');
  });
});

it('an alert without a runbook of this tree is not guessed', async () => {
  const recording = recordingOf('disk-full');
  const [alert] = recording.alert.alerts;
  const annotations = { runbook_url: 'docs/runbooks/other.md' };
  const other = { alerts: [{ status: 'firing', startsAt: '', labels: {}, ...alert, annotations }] };
  expect(await conclude(investigate({ ...recording, alert: other }))).toBe('unknown');
});
