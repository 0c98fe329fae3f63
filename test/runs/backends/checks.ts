/** Checks that one task's telemetry is found back in the back ends, by the id of its trace. Each check returns what is missing. */
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { orphansOf } from '../telemetry/trace-tree.ts';
import { bounce, pythonQueue, queue, type Submitted, send, sendInPython } from './contract.ts';
import type { Deployment } from './deployment.ts';
import { exemplarTraces, legacyReferences, linesOf, searchTraces, traceOf, valuesOf } from './searches.ts';
import type { Stack } from './stack.ts';

const nameOf = (span: ReceivedSpan): string => `${span.name} of ${span.resource['service.name']}`;

/** The spans of the trace of one request, which submitted a task for each of the two workers, and how many there are at least. */
function expectedSpans({ engine }: Deployment): Readonly<Record<string, number>> {
  return {
    'request of program': 1,
    [`submit ${queue} of program`]: 1,
    [`submit ${pythonQueue} of program`]: 1,
    'holdfast.v1.TaskService/SubmitTasks of holdfast-server': 2,
    'store commit of holdfast-server': 4,
    ...(engine === 'aws' && { [`dispatch ${queue} of holdfast-server`]: 1 }),
    [`claim ${queue} of holdfast-server`]: 1,
    [`claim ${pythonQueue} of holdfast-server`]: 1,
    [`process ${queue} of holdfast-worker`]: 1,
    'stamp of holdfast-worker': 1,
    [`settle ${queue} of holdfast-worker`]: 1,
    [`settle ${queue} of holdfast-server`]: 1,
    [`process ${pythonQueue} of python-worker`]: 1,
    'draw of python-worker': 1,
    [`settle ${pythonQueue} of holdfast-server`]: 1,
  };
}

/** Returns the spans of all traces in which a span of the server names one of these tasks. */
export async function spansOfTasks(stack: Stack, ids: readonly string[]): Promise<readonly ReceivedSpan[]> {
  const found = await Promise.all(
    ids.map((id) => searchTraces(stack, 'holdfast-server', { 'holdfast.task.id': id })),
  );
  const spans = await Promise.all([...new Set(found.flat())].map((traceId) => traceOf(stack, traceId)));
  return spans.flat();
}

export async function missingSpans(
  stack: Stack,
  deployment: Deployment,
  submitted: Submitted,
): Promise<readonly string[]> {
  const { traceId } = submitted;
  const trace = await traceOf(stack, traceId);
  const counts = Object.entries(expectedSpans(deployment)).flatMap(([name, least]) => {
    const count = trace.filter((span) => nameOf(span) === name).length;
    return count < least ? [`trace ${traceId}: ${count} spans ${name} in place of ${least}`] : [];
  });
  const spans = await spansOfTasks(stack, [submitted.send, submitted.sendInPython, submitted.bounce]);
  const orphans = orphansOf(spans).map((span) => `${nameOf(span)} is an orphan in trace ${span.traceId}`);
  const retries = [submitted.send, submitted.sendInPython, submitted.bounce].map((id) => {
    const isRetry = ({ name, attributes }: ReceivedSpan): boolean =>
      /^process /.test(name) && attributes['holdfast.task.id'] === id && attributes['holdfast.attempt'] === 2;
    return { id, span: spans.find(isRetry) };
  });
  const unknown = retries.flatMap(({ id, span }) =>
    span === undefined ? [`the span of the second attempt of ${id}`] : [],
  );
  return [...counts, ...orphans, ...unknown, ...(await missingLinks(stack, trace, retries))];
}

/** A later attempt must refer to the submission in the legacy form too, by a reference that follows from it. */
async function missingLinks(
  stack: Stack,
  trace: readonly ReceivedSpan[],
  retries: readonly { readonly id: string; readonly span: ReceivedSpan | undefined }[],
): Promise<readonly string[]> {
  const submits = trace.filter(({ name }) => name.startsWith('submit '));
  const missing = retries.map(async ({ id, span }) => {
    const submit = submits.find(({ attributes }) => attributes['holdfast.task.id'] === id);
    if (span === undefined || submit === undefined) return [];
    const references = await legacyReferences(stack, span.traceId);
    const isLinked = references.some(
      ({ spanId, kind, toTraceId, toSpanId }) =>
        spanId === span.spanId &&
        kind === 'FOLLOWS_FROM' &&
        toTraceId === submit.traceId &&
        toSpanId === submit.spanId,
    );
    return isLinked ? [] : [`the reference of the second attempt of ${id} to its submission`];
  });
  return (await Promise.all(missing)).flat();
}

/** Returns a sentence if the collector has kept a trace without a fault, which is none of its share of the rest. */
export async function keptWithoutCause(
  stack: Stack,
  { frankTraceId }: Submitted,
): Promise<readonly string[]> {
  const spans = await traceOf(stack, frankTraceId);
  const lengthMs =
    Math.max(...spans.map(({ endMs }) => endMs)) - Math.min(...spans.map(({ startMs }) => startMs));
  const isKeptRightly = lengthMs >= 1_000 || spans.some(({ status }) => status === 'error');
  return spans.length === 0 || isKeptRightly
    ? []
    : [`trace ${frankTraceId} was kept, ${Math.round(lengthMs)} ms long and without an error`];
}

export async function missingLines(
  stack: Stack,
  { traceId, send: id }: Submitted,
): Promise<readonly string[]> {
  const lines = await linesOf(stack, `trace_id:="${traceId}" | sort by (_time)`);
  const trace = await traceOf(stack, traceId);
  const attempt = trace.find(
    ({ name, attributes }) => name === `process ${queue}` && attributes['holdfast.task.id'] === id,
  );
  const expected = [
    ['holdfast-worker', 'INFO', 'a letter is stamped'],
    ['holdfast-worker', 'WARN', 'an attempt failed'],
  ] as const;
  return expected.flatMap(([service, severity, text]) => {
    const isFound = lines.some(
      (line) =>
        line['service.name'] === service &&
        line.severity_text === severity &&
        line._msg === text &&
        line.task_id === id &&
        line.attempt === '1' &&
        line.span_id === attempt?.spanId,
    );
    return isFound ? [] : [`the line '${text}' of ${service}, with the span of its attempt`];
  });
}

/** The server must have counted the ends of the tasks of all rounds, and an exemplar must name the trace of the last one. */
export async function missingMetrics(
  stack: Stack,
  { ports }: Deployment,
  rounds: number,
  { traceId }: Submitted,
): Promise<readonly string[]> {
  const instance = `instance="127.0.0.1:${ports.server}"`;
  const expected = [
    `holdfast_task_ended_total{${instance},queue="${queue}",type="${send.name}",outcome="succeeded"}`,
    `holdfast_task_ended_total{${instance},queue="${pythonQueue}",type="${sendInPython.name}",outcome="succeeded"}`,
    `holdfast_task_ended_total{${instance},queue="${queue}",type="${bounce.name}",outcome="dead",reason="attempts"}`,
    `holdfast_attempt_ended_total{${instance},queue="${queue}",type="${send.name}",outcome="failed"}`,
  ];
  const missing = expected.map(async (query) => {
    const [value] = await valuesOf(stack, `sum(${query})`);
    return value === rounds ? [] : [`${query} is ${value} in place of ${rounds}`];
  });
  const ofAttempt = `traces_duration_seconds_bucket{span_name="process ${queue}",holdfast_task_type="${send.name}"}`;
  const named = await exemplarTraces(stack, ofAttempt);
  const exemplar = named.includes(traceId) ? [] : [`an exemplar of ${ofAttempt} with trace ${traceId}`];
  return [...(await Promise.all(missing)).flat(), ...exemplar];
}
