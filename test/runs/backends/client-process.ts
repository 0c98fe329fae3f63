/**
 * The client of `npm run test:backends`: a program with an OpenTelemetry SDK. One request of it submits a task for the worker
 * of the SDK and one for the worker in Python, so that one trace has the spans of all processes. It waits for the ends of its
 * tasks, and prints their ids.
 */
import { trace } from '@opentelemetry/api';
import { connect } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { processAttributes } from '../../../src/telemetry/otlp/environment.ts';
import { startExporting } from '../../../src/telemetry/traces/start-exporting.ts';
import { bounce, frank, type Submitted, send, sendInPython, store } from './contract.ts';

const letter = Number(process.argv[2]);
const clock = systemClock();
const { env } = process;
const named = processAttributes(env, { name: 'program', version: '1', instanceId: '1' });
const exporting = await startExporting({ env, clock, log: silentLog, process: named });
const client = connect(undefined, { plaintext: true });
const tracer = trace.getTracer('program');

/** Runs a request of the program within a span, and returns its trace's id and its result. */
async function within<T>(request: () => Promise<T>): Promise<{ traceId: string; result: T }> {
  return tracer.startActiveSpan('request', async (span) => {
    const result = await request();
    span.end();
    return { traceId: span.spanContext().traceId, result };
  });
}

const { traceId, result: sent } = await within(() =>
  Promise.all([client.submit(send, { letter }), client.submit(sendInPython, { letter })]),
);
const { result: bounced } = await within(() => client.submit(bounce, { letter }));
await client.submit(store, { letter });
await Promise.all([...sent, bounced].map((task) => task.result().catch(() => undefined)));
// The processes are warm now, so that this task is not a slow one.
const { traceId: frankTraceId, result: franked } = await within(() => client.submit(frank, { letter }));
await franked.result();
const [{ id }, { id: inPython }] = sent;
const submitted: Submitted = {
  ...{ traceId, send: id, sendInPython: inPython, bounce: bounced.id },
  ...{ frank: franked.id, frankTraceId },
};
console.log(JSON.stringify(submitted));
await client.close();
await exporting?.stop(5_000);
