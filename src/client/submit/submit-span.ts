import type { SubmitOk } from '../../core/messages.ts';
import { isUnsampled } from '../../core/submission/traceparent.ts';
import { spanName, taskAttributes } from '../../ports/trace-names.ts';
import { failureOf, type Span, type Tracing } from '../../ports/tracing.ts';
import type { OutboundSubmission } from './build-submission.ts';

/** A submission, with the span that lasts until it is answered; no span if nothing of it is recorded. */
export interface TracedSubmission {
  readonly submission: OutboundSubmission;
  readonly span: Span | undefined;
}

/**
 * Begins the span of a submission, and returns the submission with the span's context as its traceparent. The parent is
 * the traceparent that the caller gave, otherwise the span of the caller's context, otherwise the trace of the task whose
 * handler submits this one; a malformed one counts as none. If that trace is not sampled, its traceparent travels on and no
 * span begins.
 */
export function traceSubmission(
  tracing: Tracing,
  type: string,
  submission: OutboundSubmission,
  given: string | undefined,
): TracedSubmission {
  const { queue, item } = submission;
  const active = given === undefined ? tracing.active() : '';
  const parent = active === '' ? item.traceparent : active;
  if (isUnsampled(parent)) {
    const unsampled = parent === item.traceparent ? submission : withTraceparent(submission, parent);
    return { submission: unsampled, span: undefined };
  }
  const span = tracing.start({
    name: spanName('submit', queue),
    kind: 'producer',
    parent: active === '' ? parent : 'active',
    attributes: taskAttributes('submit', queue, undefined, type),
  });
  const traced = withTraceparent(submission, span.traceparent);
  return { submission: traced, span: span.isRecording ? span : undefined };
}

function withTraceparent({ queue, item }: OutboundSubmission, traceparent: string): OutboundSubmission {
  const { key, spec, options } = item;
  return { queue, item: { key, spec, options, traceparent } };
}

/** Waits for the answer to a submission, and ends its span. */
export async function endingSpan(span: Span, submitted: Promise<SubmitOk>): Promise<SubmitOk> {
  try {
    const ok = await submitted;
    const { id, deduplicated } = ok;
    span.set({ 'holdfast.task.id': id, 'messaging.message.id': id, 'holdfast.deduplicated': deduplicated });
    span.end();
    return ok;
  } catch (thrown) {
    span.end(failureOf(thrown));
    throw thrown;
  }
}
