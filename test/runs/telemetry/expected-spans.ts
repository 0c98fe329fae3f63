/** The spans and lines that a task of `npm run test:telemetry` must have: it fails once, is tried again and succeeds. */
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { queue } from './contract.ts';
import type { EngineName, TelemetryOfTasks } from './run.ts';
import { tracesOf } from './trace-tree.ts';

/** Each span with its service, and how many of it are in the trace of the submission and in that of the retry. */
const expected: readonly (readonly [name: string, service: string, submission: number, retry: number])[] = [
  ['request', 'program', 1, 0],
  [`submit ${queue}`, 'program', 1, 0],
  ['holdfast.v1.TaskService/SubmitTasks', 'holdfast-server', 1, 0],
  ['store commit', 'holdfast-server', 2, 1],
  [`claim ${queue}`, 'holdfast-server', 1, 1],
  [`process ${queue}`, 'holdfast-worker', 1, 1],
  ['draw', 'holdfast-worker', 1, 1],
  [`settle ${queue}`, 'holdfast-worker', 1, 1],
  [`settle ${queue}`, 'holdfast-server', 1, 1],
];

/** Returns what a task lacks, a line each. */
export function missingOf(
  { spans, lines }: TelemetryOfTasks,
  id: string,
  engine: EngineName,
): readonly string[] {
  const attempts = spans.filter(
    ({ name, attributes }) => name === `process ${queue}` && attributes['holdfast.task.id'] === id,
  );
  const retry = attempts.find(({ attributes }) => attributes['holdfast.attempt'] === 2);
  const submission = tracesOf(spans, id)[0];
  const count = (trace: string | undefined, name: string, service: string): number =>
    spans.filter((span) => span.traceId === trace && isOf(span, name, service)).length;
  const found: string[] = [];
  for (const [name, service, inSubmission, inRetry] of expected) {
    const counts = [count(submission, name, service), count(retry?.traceId, name, service)];
    if (counts[0] !== inSubmission || counts[1] !== inRetry)
      found.push(`${id}: ${name} of ${service}: ${counts} in place of ${[inSubmission, inRetry]}`);
  }
  if (engine === 'aws' && count(submission, `dispatch ${queue}`, 'holdfast-server') !== 1)
    found.push(`${id}: the dispatch of the submission`);
  const drawn = lines.filter(({ msg, task_id }) => msg === 'a page is drawn' && task_id === id);
  const spanIds = new Set(attempts.map(({ spanId }) => spanId));
  if (drawn.length !== 2 || drawn.some(({ span_id }) => !spanIds.has(String(span_id))))
    found.push(`${id}: the lines of its handlers, with the spans of their attempts`);
  return found;
}

function isOf(span: ReceivedSpan, name: string, service: string): boolean {
  return span.name === name && span.resource['service.name'] === service;
}
