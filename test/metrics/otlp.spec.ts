import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { memory } from '../../src/engines/memory/index.ts';
import { startMetrics } from '../../src/node/metrics/start-metrics.ts';
import { startNode } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { otlpSettings } from '../../src/telemetry/metrics/otlp/otlp-settings.ts';
import { processAttributes } from '../../src/telemetry/otlp/environment.ts';
import { project, start } from '../cli/command-server.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { type Manner, type OtlpReceiver, otlpReceiver } from '../fixtures/otlp-receiver.ts';
import { task } from './counted-node.ts';

let collector: OtlpReceiver;
beforeEach(async () => {
  collector = await otlpReceiver();
});
afterEach(async () => {
  delete process.env.OTEL_EXPORTER_OTLP_HEADERS;
  await collector.close();
});

/** A node that sends its metrics every 20 ms, and waits 100 ms for an answer. */
async function exportingNode() {
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'x-key=secret';
  const clock = systemClock();
  const log = recordingLog();
  const service = { name: 'holdfast-server', version: '1', instanceId: 'one' };
  const otlp = {
    ...{ url: `${collector.endpoint}/v1/metrics`, everyMs: 20, timeoutMs: 100, ignored: undefined },
    process: processAttributes({}, service),
  };
  const metrics = await startMetrics({ clock, log, otlp });
  const node = await startNode({ engine: memory({ clock }), clock, log, metrics: metrics.node });
  const submit = async (key: string): Promise<number> => {
    const beganMs = performance.now();
    await node.service.submit({ tenant: 'default', queue: 'mail' }, [task(key)], { notAfterMs: undefined });
    return performance.now() - beganMs;
  };
  onTestFinished(async () => {
    await node.close();
    await metrics.stop(100);
  });
  return { log, metrics, node, submit };
}

/** Returns the last value that the collector got of a metric. */
function last(name: string) {
  return collector.metrics.at(-1)?.metrics.find((metric) => metric.name === name);
}

describe('the export of metrics over OTLP', () => {
  it('sends totals, gauges and exponential histograms with the name of the service and the configured headers', async () => {
    const { node, submit } = await exportingNode();
    await submit('a');
    await submit('b');
    await node.service.claim({
      ...{ tenant: 'default', queues: ['mail'], types: [{ type: 'note', maxVersion: 1 }], waitMs: 0 },
      ...{ workerName: 'w', workerId: '1', requestId: '', maxTasks: 10 },
      signal: new AbortController().signal,
    });
    await expect.poll(() => last('holdfast.task.wait.duration')?.points[0]?.count).toBe(2);
    expect(last('holdfast.task.submissions')).toMatchObject({
      kind: 'sum',
      unit: '{task}',
      points: [{ attributes: { queue: 'mail', type: 'note', result: 'accepted' }, value: 2 }],
    });
    expect(last('holdfast.task.wait.duration')).toMatchObject({ kind: 'exponentialHistogram', unit: 's' });
    expect(last('process.uptime')).toMatchObject({ kind: 'gauge', points: [{ value: expect.any(Number) }] });
    const { headers, resource } = collector.metrics.at(-1) ?? expect.fail('nothing was received');
    expect(headers['x-key']).toBe('secret');
    expect(resource).toMatchObject({ 'service.name': 'holdfast-server' });
    expect(Object.keys(resource).toSorted()).toEqual([
      'service.instance.id',
      'service.name',
      'service.version',
    ]);
  });

  it.each<Manner>(['hangs', 'refuses'])(
    'to a collector that %s delays no task, has one request at a time, logs one line a minute, and goes on later',
    async (manner) => {
      collector.manner = manner;
      const { log, submit } = await exportingNode();
      await expect.poll(() => collector.requests, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
      for (let i = 0; i < 20; i++) await submit(`${i}`);
      expect(collector.mostOpen).toBe(1);
      const lines = log.lines.filter(({ message }) => message.includes('collector'));
      expect(lines).toMatchObject([{ level: 'warn', error: expect.any(String) }]);
      expect(JSON.stringify(lines)).not.toContain('secret');
      collector.manner = 'takes';
      await expect
        .poll(() => last('holdfast.task.submissions')?.points[0]?.value, { timeout: 10_000 })
        .toBe(20);
    },
    30_000,
  );

  it('to a collector that is down logs one line, and the process goes on', async () => {
    const { log, submit } = await exportingNode();
    await collector.close();
    await expect
      .poll(() => log.lines.filter(({ message }) => message.includes('collector')).length, {
        timeout: 10_000,
      })
      .toBe(1);
    await submit('a');
    collector = await otlpReceiver();
  });

  it('sends the metrics a last time when the process stops', async () => {
    const { metrics, submit } = await exportingNode();
    await expect.poll(() => collector.metrics.length).toBeGreaterThan(0);
    await submit('a');
    await metrics.stop(1_000);
    expect(last('holdfast.task.submissions')?.points[0]?.value).toBe(1);
    const { length } = collector.metrics;
    await systemClock().sleep(100);
    expect(collector.metrics).toHaveLength(length);
  });

  it('begins for a server of the command by the environment variables of OpenTelemetry alone', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_METRIC_EXPORT_INTERVAL: '100' };
    const ports = ['--port', '0', '--http-port', '0'];
    const server = start(['serve', '--json', '--plaintext', '--store', 'memory:', ...ports], {
      cwd: project(),
      env,
    });
    await server.until(/"grpcPort".*\n/);
    await expect
      .poll(() => last('holdfast.sweep.lag')?.points.length, { timeout: 10_000 })
      .toBeGreaterThan(3);
    expect(collector.metrics[0]?.resource).toMatchObject({ 'service.name': 'holdfast-server' });
    server.signal('SIGTERM');
    expect(await server.exit).toBe(0);
  });
});

describe('the settings of the export', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

  it('are none without an endpoint, or if the environment switches metrics off', () => {
    expect(otlpSettings({})).toBeUndefined();
    expect(otlpSettings({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    expect(otlpSettings({ ...endpoint, OTEL_METRICS_EXPORTER: 'none' })).toBeUndefined();
  });

  it('are those of the standard, and a protocol that is not used is named', () => {
    expect(otlpSettings(endpoint)).toEqual({
      ...{ url: 'http://127.0.0.1:4318/v1/metrics', timeoutMs: 10_000 },
      ...{ everyMs: 60_000, ignored: undefined },
    });
    const more = { OTEL_METRIC_EXPORT_INTERVAL: '5000', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(otlpSettings({ ...endpoint, ...more })).toMatchObject({
      everyMs: 5_000,
      ignored: expect.stringContaining('grpc'),
    });
  });

  it.each([
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' },
    { ...endpoint, OTEL_METRIC_EXPORT_INTERVAL: 'soon' },
    { ...endpoint, OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '-1' },
  ])('are refused with the name of a variable that means nothing: %j', (env) => {
    expect(() => otlpSettings(env)).toThrow(/The environment variable OTEL_\w+ is '.*', which means nothing/);
  });
});
