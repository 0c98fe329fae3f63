import type { Assignment, SettleResult } from '../../core/messages.ts';
import { isSampled } from '../../core/submission/traceparent.ts';
import { spanName, taskAttributes } from '../../ports/trace-names.ts';
import type { Span, Tracing } from '../../ports/tracing.ts';
import type { AttemptOutcome } from './outcome.ts';

/**
 * Begins the span of an attempt; undefined if nothing records spans, or the task's trace is not sampled. The first attempt
 * is a child of the submission's span. A later one begins, or joins, a trace of its own that links to the submission: it may
 * run weeks later. The attempt of a task without a trace begins one.
 */
export function beginAttemptSpan(
  tracing: Tracing,
  assignment: Assignment,
  type: string,
  worker: string,
): Span | undefined {
  const { traceparent, attemptTraceparent = '', id, queue, attempt, queuedMs } = assignment;
  if (traceparent !== '' && !isSampled(traceparent)) return undefined;
  return tracing.start({
    name: spanName('process', queue),
    kind: 'consumer',
    parent: attemptTraceparent,
    link: traceparent === '' || attemptTraceparent === traceparent ? undefined : traceparent,
    attributes: {
      ...taskAttributes('process', queue, id, type),
      'holdfast.attempt': attempt,
      'holdfast.queue_time_ms': queuedMs,
      'holdfast.worker': worker,
    },
  });
}

/** The outcomes that are no error of the attempt. */
const orderly: ReadonlySet<string> = new Set(['succeeded', 'snoozed', 'released', 'cancelled']);

/** Ends the span of an attempt; `outcome` is undefined if the attempt's lease is lost. */
export function endAttemptSpan(span: Span, outcome: AttemptOutcome | undefined): void {
  const word = outcome?.outcome ?? 'lease_lost';
  span.set({ 'holdfast.outcome': word });
  if (orderly.has(word)) span.end();
  else span.end({ type: outcome?.errorType || word, message: outcome?.message });
}

/** Begins the span of the report of an attempt's end, which lasts until the server has answered it. */
export function beginSettleSpan(
  tracing: Tracing,
  attempt: Span | undefined,
  { queue, id, attempt: number }: Assignment,
  type: string,
  { outcome }: AttemptOutcome,
): Span | undefined {
  if (attempt === undefined || !isSampled(attempt.traceparent)) return undefined;
  return tracing.start({
    name: spanName('settle', queue),
    kind: 'client',
    parent: attempt.traceparent,
    attributes: {
      ...taskAttributes('settle', queue, id, type),
      'holdfast.attempt': number,
      'holdfast.outcome': outcome,
    },
  });
}

export function endSettleSpan(span: Span, result: SettleResult): void {
  if (result.error !== undefined) {
    span.end({ type: result.error.reason, message: result.error.message });
    return;
  }
  span.set({ 'holdfast.state': result.state });
  span.end();
}
