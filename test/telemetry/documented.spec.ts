/** Compares the tables of docs/telemetry.md with the code, and runs its program. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { operations, spanNames } from '../../src/ports/trace-names.ts';
import { project, startNode } from '../cli/command-server.ts';
import { otlpReceiver } from '../fixtures/otlp-receiver.ts';

vi.setConfig({ testTimeout: 40_000 });

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/telemetry.md');
const firstCells = page.split('\n').flatMap((line) => /^\| (`[^|]+)\|/.exec(line)?.[1] ?? []);
const named = new Set(firstCells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name)));

it('docs/telemetry.md and docs/metrics.md name every environment variable of OpenTelemetry that the command reads', () => {
  const sources = [
    ...['otlp/environment', 'traces/export-settings', 'metrics/otlp/otlp-settings'],
    'logs/log-settings',
  ];
  const source = sources.map((file) => read(`src/telemetry/${file}.ts`)).join('');
  const every = new Set([...source.matchAll(/OTEL_[A-Z_]+/g)].map(([name]) => name));
  const ofMetrics = [...every].filter((name) => name.includes('METRIC'));
  for (const name of ofMetrics) expect(read('docs/metrics.md')).toContain(name);
  const variables = every.difference(new Set(ofMetrics));
  const protocols = [...variables].filter((name) => name.endsWith('_PROTOCOL'));
  expect([...named].filter((name) => name?.startsWith('OTEL_')).toSorted()).toEqual(
    [...variables].filter((name) => !protocols.includes(name)).toSorted(),
  );
  for (const name of protocols) expect(page).toContain(name);
});

it('docs/telemetry.md names every span and every attribute', () => {
  const source = read('src/ports/trace-names.ts');
  const attributes = [...source.matchAll(/readonly '([a-z_.]+)'\?/g)].map(([, name]) => name);
  expect(attributes.length).toBeGreaterThan(15);
  expect(attributes.filter((name) => !named.has(name))).toEqual([]);
  const spans = [
    ...Object.keys(operations).map((name) => `${name} {queue}`),
    spanNames.submitCall,
    spanNames.commit,
  ];
  expect(spans.filter((name) => !named.has(name))).toEqual([]);
});

it('the program of docs/telemetry.md sends the trace of a task to a collector', async () => {
  const [, program = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? [];
  await using receiver = await otlpReceiver();
  const cwd = project({ 'traced.ts': program });
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(cwd, 'node_modules'));
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  const ran = startNode(['traced.ts'], { cwd, env });
  expect([await ran.exit, ran.err, ran.out]).toEqual([0, '', 'paid 7\n']);
  const names = receiver.spans.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['checkout', 'submit default', 'process default']));
  expect(new Set(receiver.spans.map(({ traceId }) => traceId)).size).toBe(1);
});
