/**
 * `npx node bench/trace-cost.ts`: how long the steps of a task take to find out that it belongs to no sampled trace, in this
 * process. Prints for each step the median of 20 runs of 200,000 calls, and the slowest run.
 */
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { traceSubmission } from '../src/client/submit/submit-span.ts';
import { beginAttemptSpan } from '../src/client/worker/attempt-span.ts';
import { noOptions } from '../src/core/codec/options.ts';
import type { Assignment, Settlement, SubmitItem } from '../src/core/messages.ts';
import { systemClock } from '../src/platform/clock.ts';
import { silentLog } from '../src/ports/log.ts';
import type { Snapshot } from '../src/ports/task-store.ts';
import { traceClaim } from '../src/service/claim/claim-span.ts';
import type { ServiceContext } from '../src/service/context.ts';
import { beginSettleSpans } from '../src/service/settle/settle-spans.ts';
import { beginSubmitSpans } from '../src/service/submit/submit-spans.ts';
import { OtelTracing } from '../src/telemetry/traces/otel-tracing.ts';
import { startExporting } from '../src/telemetry/traces/start-exporting.ts';

const runs = 20;
const calls = 200_000;
const batch = 100;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const unsampled = `00-${traceId}-${spanId}-00`;

const tracing = new OtelTracing('1');
const clock = systemClock();
const service = { tracing, clock } as unknown as ServiceContext;
const target = { tenant: 'default', queue: 'q' };
const spec = new Uint8Array(4);
const itemOf = (traceparent: string): SubmitItem => ({ key: 'k', spec, options: noOptions, traceparent });
const without = { queue: 'q', item: itemOf('') };
const within = { queue: 'q', item: itemOf(unsampled) };
const one = [within.item];
const many = Array.from({ length: batch }, () => within.item);
const assignmentOf = (traceparent: string): Assignment =>
  ({ traceparent, id: 'i', queue: 'q', attempt: 1 }) as Assignment;
const assigned = assignmentOf(unsampled);
const assignedWithout = assignmentOf('');
const snapshot = {
  id: 'i',
  head: { attempt: 1, losses: 0 },
  tip: [],
  submission: { traceparent: unsampled, scope: { queue: 'q' }, type: 't' },
} as unknown as Snapshot;
const loaded = Array.from({ length: batch }, (_, index) => ({ index, snapshot }));
const settlements = Array.from({ length: batch }, () => ({ outcome: 'succeeded' }) as Settlement);

let recorded = 0;

/** Measures a call, which counts for `tasks` tasks. */
function measure(step: string, call: () => unknown, tasks = 1): void {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now();
    for (let i = 0; i < calls; i += tasks) if (call() !== undefined) recorded++;
    times.push(((performance.now() - startedMs) * 1_000) / calls);
  }
  times.sort((a, b) => a - b);
  const [median = 0, slowest = 0] = [times[runs / 2], times.at(-1)];
  console.log(`${step.padEnd(52)} ${median.toFixed(3)} µs, at most ${slowest.toFixed(3)}`);
}

function measureSteps(): void {
  const submit = (): unknown =>
    tracing.isOn ? traceSubmission(tracing, 't', within, undefined).span : undefined;
  measure('  client: submit', submit);
  measure('  server: submit, alone', () => beginSubmitSpans(service, target, one));
  measure('  server: submit, in a batch of 100', () => beginSubmitSpans(service, target, many), batch);
  measure('  server: claim', () => traceClaim(service, snapshot, 1).attemptTraceparent);
  const attempt = (): unknown => (tracing.isOn ? beginAttemptSpan(tracing, assigned, 't', 'w') : undefined);
  measure('  worker: attempt', attempt);
  measure(
    '  server: settle, in a batch of 100',
    () => beginSettleSpans(service, settlements, loaded, 1),
    batch,
  );
}

console.log('no SDK is registered');
measureSteps();
const exporting = await startExporting({
  ...{ clock, log: silentLog, process: { 'service.name': 'bench' } },
  env: {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
  },
});
console.log('an SDK is registered, and the trace is not sampled');
measureSteps();
const around = trace.wrapSpanContext({ traceId, spanId, traceFlags: 0 });
context.with(trace.setSpan(ROOT_CONTEXT, around), () => {
  measure(
    '  client: submit, the span is that of the context',
    () => traceSubmission(tracing, 't', without, undefined).span,
  );
});
console.log('an SDK is registered, and its sampler decides that a new trace is not sampled');
measure('  client: submit', () => (traceSubmission(tracing, 't', without, undefined).span ? undefined : 1));
measure('  worker: attempt', () => (beginAttemptSpan(tracing, assignedWithout, 't', 'w') ? undefined : 1));
await exporting?.stop(100);
if (recorded > 0) throw new Error(`${recorded} spans were begun that should not have been`);
