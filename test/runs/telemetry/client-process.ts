/**
 * The client of `npm run test:telemetry`: a program with an OpenTelemetry SDK. It submits each task within a span of its own,
 * waits for the results, and prints the ids of the tasks.
 */
import { trace } from '@opentelemetry/api';
import { connect } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { processAttributes } from '../../../src/telemetry/otlp/environment.ts';
import { startExporting } from '../../../src/telemetry/traces/start-exporting.ts';
import { render, renderInPython } from './contract.ts';

const count = Number(process.argv[2]);
const type = process.argv[3] === 'python' ? renderInPython : render;
const clock = systemClock();
const { env } = process;
const named = processAttributes(env, { name: 'program', version: '1', instanceId: '1' });
const exporting = await startExporting({ env, clock, log: silentLog, process: named });
const client = connect(undefined, { plaintext: true });
const tracer = trace.getTracer('program');
const tasks = await Promise.all(
  Array.from({ length: count }, (_, document) =>
    tracer.startActiveSpan('request', async (span) => {
      const task = await client.submit(type, { document });
      span.end();
      return task;
    }),
  ),
);
await Promise.all(tasks.map((task) => task.result()));
console.log(JSON.stringify(tasks.map(({ id }) => id)));
await client.close();
await exporting?.stop(5_000);
