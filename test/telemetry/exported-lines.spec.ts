/** Tests the export of log lines over OTLP: by a collector in this process, and by the commands as processes. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, defineTask, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Log, LogFields } from '../../src/ports/log.ts';
import { type LogExport, startLogExport } from '../../src/telemetry/logs/export-logs.ts';
import { LineExport } from '../../src/telemetry/logs/line-export.ts';
import { LineQueue, mostQueuedChars } from '../../src/telemetry/logs/line-queue.ts';
import { logRecord } from '../../src/telemetry/logs/log-record.ts';
import { logSettings } from '../../src/telemetry/logs/log-settings.ts';
import { processAttributes } from '../../src/telemetry/otlp/environment.ts';
import { unlessMissing } from '../../src/telemetry/otlp/missing-packages.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { project, start as startCommand } from '../cli/command-server.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { type Manner, type OtlpReceiver, otlpReceiver } from '../fixtures/otlp-receiver.ts';

let receiver: OtlpReceiver;
let exporting: LogExport | undefined;
beforeEach(async () => {
  receiver = await otlpReceiver();
});
afterEach(async () => {
  await exporting?.stop(2_000);
  exporting = undefined;
  await receiver.close();
});

/** A log whose lines are kept, and passed to one reader as JSON, as `readLines` does it. */
function readLog() {
  const kept = recordingLog();
  let reader: ((line: string) => void) | undefined;
  const write = (level: 'info' | 'warn') => (fields: LogFields, message: string) => {
    kept[level](fields, message);
    reader?.(
      JSON.stringify({ level: level === 'info' ? 30 : 40, time: Date.now(), ...fields, msg: message }),
    );
  };
  const log: Log = { ...kept, info: write('info'), warn: write('warn') };
  const readLines = (read: (line: string) => void) => {
    reader = read;
    return () => {
      reader = undefined;
    };
  };
  return { log, readLines, lines: kept.lines };
}

async function startExport(env: Readonly<Record<string, string>>) {
  const written = readLog();
  const service = { name: 'holdfast-test', version: '1.2.3', instanceId: 'one' };
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_LOGS_EXPORTER: 'otlp', ...env };
  exporting = await startLogExport({
    ...{ env: all, clock: systemClock(), process: processAttributes(all, service) },
    ...{ log: written.log, readLines: written.readLines },
  });
  return written;
}

const shared = { resource: { attributes: {} } as never, instrumentationScope: { name: 'holdfast' } };

describe('the record of a line', () => {
  it('has its time, its severity, its message, its trace, and its other fields as attributes', () => {
    const [trace_id, span_id] = ['1'.repeat(32), '2'.repeat(16)];
    const line = JSON.stringify({
      ...{ level: 40, time: 1_234_567, pid: 1, hostname: 'box', msg: 'an attempt failed' },
      ...{ task_id: 't1', attempt: 2, begun: true, oldest: ['a', 'b'], trace_id, span_id, nothing: null },
    });
    expect(logRecord(line, 2_000_000, shared)).toEqual({
      ...shared,
      ...{ hrTime: [1_234, 567_000_000], hrTimeObserved: [2_000, 0] },
      ...{ severityNumber: 13, severityText: 'WARN', body: 'an attempt failed' },
      spanContext: { traceId: trace_id, spanId: span_id, traceFlags: 0 },
      attributes: { task_id: 't1', attempt: 2, begun: true, oldest: ['a', 'b'] },
      droppedAttributesCount: 0,
    });
  });

  it('has the message and the stack of an error by the names of the semantic conventions, and its other fields', () => {
    const err = {
      ...{ type: 'TypeError', message: 'no such card', stack: 'TypeError: no such card\n    at pay' },
      ...{ reason: 'CARD', cause: { message: 'closed' } },
    };
    expect(logRecord(JSON.stringify({ level: 50, err, msg: 'x' }), 0, shared).attributes).toEqual({
      'exception.type': 'TypeError',
      'exception.message': 'no such card',
      'exception.stacktrace': 'TypeError: no such card\n    at pay',
      'err.reason': 'CARD',
      'err.cause.message': 'closed',
    });
  });

  it('belongs to no trace if an id of the line is none, and a line that is no JSON is the message', () => {
    const forged = JSON.stringify({ level: 30, msg: 'x', trace_id: 'z'.repeat(32), span_id: 7 });
    expect(logRecord(forged, 0, shared).spanContext).toBeUndefined();
    expect(logRecord('no JSON', 5_000, shared)).toMatchObject({ body: 'no JSON', hrTime: [5, 0] });
  });
});

describe('a process that exports its log lines', () => {
  it('sends them to the collector with the name of the service, and writes them as before', async () => {
    const { log, lines } = await startExport({ OTEL_BLRP_SCHEDULE_DELAY: '10' });
    const [trace_id, span_id] = ['1'.repeat(32), '2'.repeat(16)];
    log.info({ task_id: 't1', trace_id, span_id }, 'a line');
    await expect.poll(() => receiver.logs.length).toBe(1);
    expect(receiver.logs[0]).toMatchObject({
      ...{ body: 'a line', severity: 9, severityText: 'INFO', attributes: { task_id: 't1' } },
      ...{ traceId: trace_id, spanId: span_id },
      resource: { 'service.name': 'holdfast-test', 'service.instance.id': 'one' },
    });
    expect(lines.map(({ message }) => message)).toEqual(['a line']);
    expect(exporting?.dropped).toBe(0);
  });

  it('sends the lines that are left when it stops, and no line after that', async () => {
    const { log } = await startExport({ OTEL_BLRP_SCHEDULE_DELAY: '60000' });
    for (let i = 0; i < 1_500; i++) log.info({ i }, 'a line');
    await exporting?.stop(5_000);
    log.info({}, 'late');
    expect(receiver.logs.map(({ attributes }) => attributes.i)).toEqual(
      Array.from({ length: 1_500 }, (_, i) => i),
    );
  });

  it.each<Manner>(['refuses', 'hangs'])(
    'to a collector that %s counts the lost lines in a line that it does not export',
    async (manner) => {
      receiver.manner = manner;
      const { log, lines } = await startExport({
        ...{ OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '200', OTEL_BLRP_MAX_QUEUE_SIZE: '500' },
        OTEL_BLRP_SCHEDULE_DELAY: '10',
      });
      for (let i = 0; i < 3_000; i++) {
        log.info({ i }, 'a line');
        if (i % 500 === 0) await systemClock().sleep(20);
      }
      await expect.poll(() => lines.some(({ signal }) => signal === 'logs'), { timeout: 10_000 }).toBe(true);
      await exporting?.stop(500);
      const own = lines.filter(({ signal }) => signal === 'logs');
      // The first line is written at once, the other one by the end of the process.
      expect(own.map(({ level }) => level)).toEqual(['warn', 'warn']);
      expect(own.reduce((sum, { lost_lines }) => sum + Number(lost_lines), 0)).toBe(3_000);
      expect(exporting?.dropped).toBe(3_000);
      expect(receiver.mostOpen).toBe(1);
      receiver.manner = 'takes';
      await systemClock().sleep(300);
      expect(receiver.logs).toEqual([]);
    },
  );

  it('goes on as soon as a collector that was down takes lines again', async () => {
    receiver.manner = 'refuses';
    const { log, lines } = await startExport({ OTEL_BLRP_SCHEDULE_DELAY: '10' });
    log.info({}, 'lost');
    await expect.poll(() => lines.length, { timeout: 10_000 }).toBe(2);
    receiver.manner = 'takes';
    log.info({}, 'taken');
    await expect.poll(() => receiver.logs.map(({ body }) => body)).toEqual(['taken']);
    expect(exporting?.dropped).toBe(1);
  });

  it('is held up at its end by a collector that hangs for no longer than it wants to wait', async () => {
    receiver.manner = 'hangs';
    const { log } = await startExport({ OTEL_BLRP_SCHEDULE_DELAY: '10' });
    log.info({}, 'a line');
    const stopped = exporting?.stop(100).then(() => 'stopped');
    const late = systemClock()
      .sleep(5_000)
      .then(() => 'late');
    expect(await Promise.race([stopped, late])).toBe('stopped');
    expect(exporting?.dropped).toBe(1);
  });
});

it('a collector that refuses for an hour costs one line of the log a minute, and none without lines to export', async () => {
  const clock = virtualClock();
  const log = recordingLog();
  const send = () => Promise.reject(new Error('500'));
  const settings = { delayMs: 1_000, queuedLines: 100, batchLines: 50, timeoutMs: 1_000 };
  const exporter = new LineExport({ ...settings, clock, log, send });
  for (let second = 0; second < 3_600; second++) {
    exporter.add('{}');
    await clock.advance(1_000);
  }
  expect(log.lines.length).toBeGreaterThan(50);
  expect(log.lines.length).toBeLessThanOrEqual(61);
  await clock.advance(120_000);
  const { length } = log.lines;
  await clock.advance(3_600_000);
  expect(log.lines).toHaveLength(length);
});

describe('the lines that wait for a collector', () => {
  it('are bounded by their number and by their characters', () => {
    const few = new LineQueue(2);
    expect([few.add('a'), few.add('b'), few.add('c'), few.length]).toEqual([true, true, false, 2]);
    const long = new LineQueue(1_000);
    const line = 'x'.repeat(mostQueuedChars / 8);
    for (let i = 0; i < 8; i++) expect(long.add(line)).toBe(true);
    expect(long.add('y')).toBe(false);
    expect(long.take(1_000)).toEqual([line]);
    expect(long.add('y')).toBe(true);
  });

  it('leave in their order, and a line that is longer than a request leaves alone', () => {
    const queue = new LineQueue(1_000);
    const long = 'x'.repeat(mostQueuedChars / 4);
    for (const line of ['a', 'b', long, 'c']) queue.add(line);
    expect([queue.take(1), queue.take(9), queue.take(9), queue.take(9), queue.take(9)]).toEqual([
      ...[['a'], ['b'], [long], ['c'], []],
    ]);
  });
});

describe('the settings of the export of lines', () => {
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
  const own = { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://127.0.0.1:9428/insert/opentelemetry/v1/logs' };

  it('are none unless the environment asks for lines, since they stand on standard error', () => {
    const off = [
      ...[{}, all, { ...all, OTEL_LOGS_EXPORTER: 'none' }, { ...all, OTEL_LOGS_EXPORTER: 'console' }],
      ...[
        { ...own, OTEL_LOGS_EXPORTER: 'none' },
        { ...own, OTEL_SDK_DISABLED: 'true' },
      ],
    ];
    for (const env of off) expect(logSettings(env)).toBeUndefined();
  });

  it('are those of the standard', () => {
    const urlOf = (env: Readonly<Record<string, string>>) => logSettings(env)?.url;
    expect(urlOf({ ...all, OTEL_LOGS_EXPORTER: 'otlp' })).toBe('http://127.0.0.1:4318/v1/logs');
    expect(urlOf({ OTEL_LOGS_EXPORTER: 'otlp' })).toBe('http://localhost:4318/v1/logs');
    expect(logSettings({ ...all, ...own, OTEL_BLRP_MAX_QUEUE_SIZE: '100' })).toEqual({
      ...{ url: own.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, timeoutMs: 10_000, ignored: undefined },
      ...{ delayMs: 1_000, queuedLines: 100, batchLines: 100 },
    });
  });

  it.each(['OTEL_BLRP_MAX_QUEUE_SIZE', 'OTEL_BLRP_SCHEDULE_DELAY', 'OTEL_EXPORTER_OTLP_LOGS_TIMEOUT'])(
    'are refused with the name of the variable that means nothing: %s',
    (name) => expect(() => logSettings({ ...own, [name]: 'many' })).toThrow(name),
  );
});

it('a process without the packages logs how to install them, and works without the export', async () => {
  const log = recordingLog();
  const open = () => import('@opentelemetry/no-such-package' as string);
  expect(await unlessMissing(log, 'logs', ['@opentelemetry/x'], open)).toBeUndefined();
  expect(log.lines).toMatchObject([{ level: 'warn', help: 'npm install @opentelemetry/x' }]);
  expect(log.lines[0]?.message).toContain('no logs are exported');
});

describe('the commands', () => {
  const job = defineTask('job', { input: typed<null>(), retry: { maxAttempts: 1 } });
  const worker = `
import { defineTask, defineWorker, handle, typed } from 'holdfast';
const job = defineTask('job', { input: typed<null>(), retry: { maxAttempts: 1 } });
export default defineWorker({ handlers: [handle(job, (_input, { log }) => {
  log.info({ chosen: 7 }, 'a line of the handler');
  const err = new TypeError('no such card');
  log.error({ err }, 'the bank refused');
  throw err;
})] });
`;

  it('server, worker and canary export their lines until they end, and write them to standard error too', async () => {
    const cwd = project({ 'worker.ts': worker });
    const env = {
      ...{ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.endpoint}/v1/logs`, HOLDFAST_LOG: 'info' },
      OTEL_BLRP_SCHEDULE_DELAY: '60000',
    };
    const ports = ['--port', '0', '--http-port', '0'];
    const server = startCommand(['serve', '--json', '--plaintext', '--store', 'memory:', ...ports], {
      cwd,
      env,
    });
    await server.until(/grpcPort.*\n/);
    const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
    const url = `holdfast+plaintext://127.0.0.1:${grpcPort}`;
    const working = startCommand(['worker', 'worker.ts', '--json', '--url', url], { cwd, env });
    await working.until(/\n/);
    const canary = startCommand(
      ['canary', '--json', '--slot', '100ms', '--url', 'holdfast+plaintext://127.0.0.1:1'],
      {
        ...{ cwd, env },
      },
    );
    const client = connect(url, { log: recordingLog() as never });
    const task = await client.submit(job, null);
    await task.result().catch(() => {});
    await client.close();
    await canary.until(/slot_result/);
    for (const process of [canary, working, server]) {
      process.signal('SIGTERM');
      expect(await process.exit).toBe(0);
    }
    const lines = new Map(receiver.logs.map((record) => [record.body, record]));
    expect(lines.get('a line of the handler')).toMatchObject({
      ...{ severityText: 'INFO', resource: { 'service.name': 'holdfast-worker' } },
      attributes: { task_id: task.id, queue: 'default', type: 'job', attempt: 1, chosen: 7 },
    });
    expect(lines.get('the bank refused')?.attributes).toMatchObject({
      ...{ 'exception.type': 'TypeError', 'exception.message': 'no such card' },
      'exception.stacktrace': expect.stringContaining('worker.ts'),
    });
    const services = new Set(receiver.logs.map(({ resource }) => resource['service.name']));
    expect(services).toEqual(new Set(['holdfast-server', 'holdfast-worker', 'holdfast-canary']));
    for (const { body, resource } of receiver.logs) {
      const from = { 'holdfast-server': server, 'holdfast-worker': working, 'holdfast-canary': canary };
      expect(from[resource['service.name'] as 'holdfast-server'].err).toContain(body);
    }
  }, 60_000);

  it('a server whose store fails exports the line about it before it ends', async () => {
    const cwd = project();
    const env = { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.endpoint}/v1/logs` };
    const ports = ['--port', '0', '--http-port', '0'];
    const argv = ['serve', '--json', '--plaintext', '--store', 'file:q.db', ...ports];
    const server = startCommand(argv, { cwd, env });
    await server.until(/\n/);
    rmSync(join(cwd, 'q.db'));
    expect(await server.exit).toBe(1);
    expect(receiver.logs.map(({ body }) => body)).toContain('the store failed; the server ends');
  });

  it.each<Manner>(['refuses', 'hangs'])(
    'end in time beside a collector that %s',
    async (manner) => {
      receiver.manner = manner;
      const env = { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.endpoint}/v1/logs`, HOLDFAST_LOG: 'info' };
      const argv = ['canary', '--json', '--slot', '100ms', '--url', 'holdfast+plaintext://127.0.0.1:1'];
      const canary = startCommand(argv, { cwd: project(), env });
      await canary.until(/slot_result/);
      await expect.poll(() => receiver.requests, { timeout: 10_000 }).toBeGreaterThan(0);
      canary.signal('SIGTERM');
      const late = systemClock()
        .sleep(8_000)
        .then(() => 'late');
      expect(await Promise.race([canary.exit, late])).toBe(0);
      expect(canary.err.match(/did not take log lines/g)?.length).toBeLessThanOrEqual(2);
    },
    30_000,
  );
});
