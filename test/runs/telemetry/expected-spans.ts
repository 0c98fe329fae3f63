/** The spans and lines that a task of `npm run test:telemetry` must have: it fails once, is tried again and succeeds. */
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { pythonQueue, queue } from './contract.ts';
import type { EngineName, TelemetryOfTasks, WorkerName } from './run.ts';
import { tracesOf } from './trace-tree.ts';

type ExpectedSpan = readonly [name: string, service: string, submission: number, retry: number];

/** Returns each span with its service, and how many of it are in the trace of the submission and in that of the retry. */
function expectedOf(worker: WorkerName): readonly ExpectedSpan[] {
  const [name, service] = worker === 'sdk' ? [queue, 'holdfast-worker'] : [pythonQueue, 'python-worker'];
  const own: readonly ExpectedSpan[] = worker === 'sdk' ? [[`settle ${name}`, service, 1, 1]] : [];
  return [
    ['request', 'program', 1, 0],
    [`submit ${name}`, 'program', 1, 0],
    ['holdfast.v1.TaskService/SubmitTasks', 'holdfast-server', 1, 0],
    ['store commit', 'holdfast-server', 2, 1],
    [`claim ${name}`, 'holdfast-server', 1, 1],
    [`process ${name}`, service, 1, 1],
    ['draw', service, 1, 1],
    [`settle ${name}`, 'holdfast-server', 1, 1],
    ...own,
  ];
}

/** Returns what a task lacks, a line each. */
export function missingOf(
  { spans, lines }: TelemetryOfTasks,
  id: string,
  engine: EngineName,
  worker: WorkerName,
): readonly string[] {
  const isAttempt = ({ name, attributes }: ReceivedSpan): boolean =>
    name.startsWith('process ') && attributes['holdfast.task.id'] === id;
  const attempts = spans.filter(isAttempt);
  const retry = attempts.find(({ attributes }) => attributes['holdfast.attempt'] === 2);
  const submission = tracesOf(spans, id)[0];
  const count = (trace: string | undefined, name: string, service: string): number =>
    spans.filter((span) => span.traceId === trace && isOf(span, name, service)).length;
  const found: string[] = [];
  for (const [name, service, inSubmission, inRetry] of expectedOf(worker)) {
    const counts = [count(submission, name, service), count(retry?.traceId, name, service)];
    // A lost race adds a commit, and a task that was given back unbegun a claim.
    if ((counts[0] ?? 0) < inSubmission || (counts[1] ?? 0) < inRetry)
      found.push(`${id}: ${name} of ${service}: ${counts} in place of ${[inSubmission, inRetry]}`);
  }
  const dispatches = spans.filter(
    ({ name, traceId }) => name.startsWith('dispatch ') && traceId === submission,
  );
  if (engine === 'aws' && dispatches.length !== 1) found.push(`${id}: the dispatch of the submission`);
  const drawn = lines.filter(({ msg, task_id }) => msg === 'a page is drawn' && task_id === id);
  const spanIds = new Set(attempts.map(({ spanId }) => spanId));
  if (worker === 'sdk' && (drawn.length !== 2 || drawn.some(({ span_id }) => !spanIds.has(String(span_id)))))
    found.push(`${id}: the lines of its handlers, with the spans of their attempts`);
  return found;
}

function isOf(span: ReceivedSpan, name: string, service: string): boolean {
  return span.name === name && span.resource['service.name'] === service;
}
