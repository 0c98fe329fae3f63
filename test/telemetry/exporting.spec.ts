import { context, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { CollectorLog } from '../../src/telemetry/otlp/collector-log.ts';
import { processAttributes } from '../../src/telemetry/otlp/environment.ts';
import { exportSettings } from '../../src/telemetry/traces/export-settings.ts';
import { type Exporting, startExporting } from '../../src/telemetry/traces/start-exporting.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { type Manner, otlpReceiver } from '../fixtures/otlp-receiver.ts';

let running: Exporting | undefined;
afterEach(async () => {
  await running?.stop(2_000);
  running = undefined;
  trace.disable();
  context.disable();
});

async function start(env: Readonly<Record<string, string>>) {
  const log = recordingLog();
  const service = { name: 'holdfast-test', version: '1.2.3', instanceId: 'one' };
  const own = { clock: systemClock(), log, process: processAttributes(env, service) };
  running = await startExporting({ ...own, env: { OTEL_BSP_SCHEDULE_DELAY: '10', ...env } });
  return log;
}

const note = defineTask('note', { input: typed<object>(), output: typed<unknown>() });

describe('a process that exports traces', () => {
  it('sends the spans of its tasks, and names itself by nothing but its service', async () => {
    await using receiver = await otlpReceiver();
    const attributes = 'deployment.environment.name=staging,malformed,also=%zz';
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_RESOURCE_ATTRIBUTES: attributes });
    await using client = connect('memory:', { log: recordingLog() as never });
    await client.work(defineWorker({ handlers: [handle(note, () => 'done')] }));
    await (await client.submit(note, {})).result();
    await expect.poll(() => receiver.spans.map(({ name }) => name)).toContain('process default');
    const attempt = receiver.spans.find(({ name }) => name === 'process default');
    const submit = receiver.spans.find(({ name }) => name === 'submit default');
    expect(attempt).toMatchObject({ kind: 'consumer', parentId: submit?.spanId, status: 'unset' });
    expect(attempt?.resource).toEqual({
      'service.name': 'holdfast-test',
      'service.version': '1.2.3',
      'service.instance.id': 'one',
      'deployment.environment.name': 'staging',
    });
  });

  it('exports nothing and registers nothing without an endpoint', async () => {
    await start({ OTEL_SERVICE_NAME: 'x' });
    expect(trace.getTracer('any').startSpan('one').isRecording()).toBe(false);
  });

  it('keeps the SDK that the program has registered itself', async () => {
    await using first = await otlpReceiver();
    await using second = await otlpReceiver();
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: first.endpoint });
    const registered = running;
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: second.endpoint });
    trace.getTracer('any').startSpan('one').end();
    await registered?.stop(2_000);
    expect([first.spans.length, second.spans.length]).toEqual([1, 0]);
  });

  it('samples a new trace that links to a sampled one, whatever share of the new traces is sampled', async () => {
    await using receiver = await otlpReceiver();
    await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0',
    });
    const linked = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 };
    const tracer = trace.getTracer('any');
    tracer.startSpan('new').end();
    tracer.startSpan('linked', { links: [{ context: linked }] }).end();
    await running?.stop(2_000);
    expect(receiver.spans.map(({ name }) => name)).toEqual(['linked']);
  });
});

describe('a collector', () => {
  const spansSent = 5_000;

  async function floodOf(endpoint: string) {
    const log = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
      OTEL_BSP_MAX_QUEUE_SIZE: '500',
    });
    await using client = connect('memory:', { log: recordingLog() as never });
    await client.work(defineWorker({ handlers: [handle(note, () => 'done')] }));
    const task = await client.submit(note, {});
    const tracer = trace.getTracer('any');
    for (let i = 0; i < spansSent; i++) {
      tracer.startSpan('one').end();
      if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const result = await task.result();
    await running?.stop(2_000);
    return { log, result };
  }

  it.each<Manner>(['refuses', 'hangs'])(
    'that %s costs no task, and two lines of the log count the spans that were lost',
    async (manner) => {
      await using receiver = await otlpReceiver(manner);
      const { log, result } = await floodOf(receiver.endpoint);
      expect(result).toBe('done');
      expect(receiver.requests).toBeGreaterThan(0);
      // The first line is written at once, the other one by the end of the process.
      expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
      const lost = log.lines.reduce((sum, line) => sum + Number(line.lost_spans), 0);
      expect(lost).toBeGreaterThanOrEqual(spansSent);
    },
  );

  it('that is down costs no task', async () => {
    const receiver = await otlpReceiver();
    await receiver.close();
    const { log, result } = await floodOf(receiver.endpoint);
    expect(result).toBe('done');
    expect(log.lines.length).toBe(2);
  });

  it('that hangs keeps a process from its end for no longer than it wants to wait', async () => {
    await using receiver = await otlpReceiver('hangs');
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
    trace.getTracer('any').startSpan('one').end();
    const stopped = running?.stop(100).then(() => 'stopped');
    const late = new Promise((resolve) => setTimeout(() => resolve('late'), 5_000).unref());
    expect(await Promise.race([stopped, late])).toBe('stopped');
    running = undefined;
  });
});

it('lost spans are logged at once, and then in one line a minute', async () => {
  const clock = virtualClock();
  const log = recordingLog();
  const exportLog = new CollectorLog(clock, log, 'traces');
  exportLog.failed(3, new Error('refused'));
  for (let i = 0; i < 100; i++) exportLog.dropped(2);
  expect(log.lines.map(({ lost_spans, error }) => [lost_spans, error])).toEqual([[3, 'refused']]);
  await clock.advance(59_000);
  expect(log.lines.length).toBe(1);
  await clock.advance(2_000);
  expect(log.lines.map(({ lost_spans }) => lost_spans)).toEqual([3, 200]);
});

describe('the settings of the export', () => {
  const endpoint = 'http://127.0.0.1:4318';

  it('are undefined without an endpoint, and if the SDK or the traces are switched off', () => {
    const off = [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'none' },
    ];
    for (const env of off) expect(exportSettings(env)).toBeUndefined();
    expect(exportSettings({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint })).toBeDefined();
  });

  it.each([
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' },
    { OTEL_TRACES_SAMPLER: 'sometimes' },
    { OTEL_TRACES_SAMPLER_ARG: '2' },
    { OTEL_BSP_MAX_QUEUE_SIZE: '-1' },
    { OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' },
  ])('are refused with the name of the variable that means nothing: %o', (env) => {
    const [name] = Object.keys(env);
    expect(() => exportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...env })).toThrow(name);
  });

  it('say so if the environment names another protocol than the one that is spoken', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(exportSettings(env)?.ignored).toContain('http/protobuf');
  });
});
