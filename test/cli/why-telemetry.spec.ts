/** Tests `holdfast why` with the spans that this code exports and the lines that it logs, as stores give them back. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, trace } from '@opentelemetry/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { type Exporting, startExporting } from '../../src/telemetry/traces/start-exporting.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { type OtlpReceiver, otlpReceiver, type ReceivedSpan } from '../fixtures/otlp-receiver.ts';
import { holdfast } from './command-server.ts';

const render = defineTask('render', {
  queue: 'documents',
  input: typed<object>(),
  output: typed<unknown>(),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});
const log = recordingLog();
let receiver: OtlpReceiver;
let serving: RunningServer;
let exporting: Exporting | undefined;
let stores: ReturnType<typeof createServer>;
/** A task that is dead after two attempts, each of which failed by another text. */
let id: string;

beforeAll(async () => {
  receiver = await otlpReceiver();
  const clock = systemClock();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '10' };
  const named = { 'service.name': 'holdfast-worker' };
  exporting = await startExporting({ env, clock, log: silentLog, process: named });
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  serving = await serve({ store: 'memory:', grpc: free, http: free, clock, log: silentLog });
  const client = connect(address(), { log: log as never });
  const fail = (attempt: number): never => {
    throw new RangeError(`no paper in tray ${attempt}`);
  };
  await client.work(
    defineWorker({ queues: ['documents'], handlers: [handle(render, (_, { attempt }) => fail(attempt))] }),
  );
  const task = await client.submit(render, {});
  ({ id } = task);
  await task.result().catch(() => {});
  await client.close();
  await exporting?.stop(5_000);
  stores = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://jaeger');
    if (pathname === '/api/traces') return void response.end(JSON.stringify(found(searchParams)));
    const [, traceId] = /^\/api\/v3\/traces\/(\w+)$/.exec(pathname) ?? [];
    if (traceId === undefined) return void response.end(linesOfTask());
    const spans = receiver.spans.filter((span) => span.traceId === traceId);
    response.statusCode = spans.length === 0 ? 404 : 200;
    response.end(JSON.stringify({ result: { resourceSpans: spans.map(jsonOf) } }));
  });
  await new Promise<void>((resolve) => stores.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  delete process.env.HOLDFAST_TRACES_URL;
  delete process.env.HOLDFAST_LOGS_URL;
  trace.disable();
  context.disable();
  stores.close();
  await serving.close(0);
  await receiver.close();
});

const address = (): string => `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`;

/** Returns the traces in which a span of a service has the searched attributes, in the form of Jaeger's search. */
function found(search: URLSearchParams): object {
  const tags = Object.entries(JSON.parse(search.get('tags') ?? '{}'));
  const own = receiver.spans.filter(
    ({ resource, attributes }) =>
      resource['service.name'] === search.get('service') &&
      tags.every(([key, value]) => String(attributes[key]) === value),
  );
  const data = [...new Set(own.map(({ traceId }) => traceId))].map((traceID) => ({
    traceID,
    spans: own
      .filter(({ traceId }) => traceId === traceID)
      .map(({ startMs }) => ({ startTime: startMs * 1_000 })),
  }));
  return { data, total: 0, limit: 0, offset: 0, errors: null };
}

/** Returns a span in the form of OTLP JSON, in which Jaeger answers. */
function jsonOf(span: ReceivedSpan): object {
  const attributes = (of: ReceivedSpan['attributes']) =>
    Object.entries(of).map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { intValue: `${value}` } : { stringValue: `${value}` },
    }));
  const { traceId, spanId, parentId, name, startMs, endMs, status, statusMessage } = span;
  const nanos = (ms: number): string => `${Math.round(ms * 1_000)}000`;
  const own = {
    ...{ traceId, spanId, parentSpanId: parentId, name, attributes: attributes(span.attributes) },
    ...{ startTimeUnixNano: nanos(startMs), endTimeUnixNano: nanos(endMs) },
    status: status === 'error' ? { code: 2, message: statusMessage } : {},
  };
  return { resource: { attributes: attributes(span.resource) }, scopeSpans: [{ spans: [own] }] };
}

/** Returns the logged lines of the task, in the form of VictoriaLogs. */
function linesOfTask(): string {
  return log.lines
    .filter((line) => line.task_id === id)
    .map(({ message, ...fields }) =>
      JSON.stringify({ ...fields, _time: new Date().toISOString(), _msg: message }),
    )
    .join('\n');
}

async function why(...stored: readonly ('TRACES' | 'LOGS')[]) {
  const { port } = stores.address() as AddressInfo;
  for (const name of ['TRACES', 'LOGS'] as const) delete process.env[`HOLDFAST_${name}_URL`];
  for (const name of stored) process.env[`HOLDFAST_${name}_URL`] = `http://127.0.0.1:${port}`;
  return (await holdfast('why', id, '--url', address(), '--json')).json;
}

it('holdfast why finds the span of the first attempt in the trace of the submission', async () => {
  const { spans, backendFaults } = await why('TRACES');
  expect(backendFaults).toEqual([]);
  expect(spans).toContainEqual(
    expect.objectContaining({
      ...{ name: 'process documents', service: 'holdfast-worker', attempt: 1 },
      ...{ isError: true, message: 'no paper in tray 1' },
    }),
  );
});

it('holdfast why finds the span of a later attempt by a search for the task, without any line', async () => {
  const { spans, culprit, backendFaults } = await why('TRACES');
  expect(backendFaults).toEqual([]);
  expect(spans).toContainEqual(
    expect.objectContaining({ name: 'process documents', attempt: 2, taskId: id, isError: true }),
  );
  expect(culprit).toMatchObject({ from: 'span', text: 'process documents: no paper in tray 2' });
});

it('holdfast why finds the span of a later attempt by the trace that the lines of the task name', async () => {
  const { spans, culprit } = await why('TRACES', 'LOGS');
  expect(spans).toContainEqual(
    expect.objectContaining({ name: 'process documents', attempt: 2, message: 'no paper in tray 2' }),
  );
  expect(culprit).toMatchObject({ from: 'log', text: expect.stringContaining('no paper in tray 2') });
});

it('holdfast why reads the attempt and the error of a logged line', async () => {
  const { lines, culprit } = await why('LOGS');
  expect(lines).toContainEqual(
    expect.objectContaining({ attempt: 1, text: expect.stringContaining('no paper in tray 1') }),
  );
  expect(culprit).toMatchObject({ from: 'log', text: expect.stringContaining('no paper in tray 2') });
});
