import { traceIdsOf } from '../core/submission/traceparent.ts';
import type { DispatchReason } from '../ports/broker.ts';
import type { Snapshot } from '../ports/task-store.ts';
import { spanName, taskAttributes } from '../ports/trace-names.ts';
import { failureOf, type SpanFailure } from '../ports/tracing.ts';
import type { ServiceContext } from './context.ts';

/**
 * Sends the dispatch message of a task of a sampled trace within a span. The dispatch by the submission itself is part of
 * its trace; a later one (by a sweep, a redrive, the end of another task) begins a trace that links to the submission.
 */
export async function tracedDispatch(
  { tracing }: ServiceContext,
  { id, submission }: Snapshot,
  reason: DispatchReason,
  send: () => Promise<void>,
): Promise<void> {
  const { traceparent, scope, type } = submission;
  const isPart = traceIdsOf(tracing.active()).trace_id === traceIdsOf(traceparent).trace_id;
  const span = tracing.start({
    name: spanName('dispatch', scope.queue),
    kind: 'producer',
    parent: isPart ? 'active' : '',
    link: isPart ? undefined : traceparent,
    attributes: { ...taskAttributes('dispatch', scope.queue, id, type), 'holdfast.dispatch.reason': reason },
  });
  let failure: SpanFailure | undefined;
  try {
    await span.run(send);
  } catch (thrown) {
    failure = failureOf(thrown);
    throw thrown;
  } finally {
    span.end(failure);
  }
}
