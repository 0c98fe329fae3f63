import type { Assignment } from '../../core/messages.ts';
import { isSampled } from '../../core/submission/traceparent.ts';
import { readyBeforeClaimMs } from '../../core/task/ready-since.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { spanName, taskAttributes } from '../../ports/trace-names.ts';
import type { ServiceContext } from '../context.ts';

type AttemptTrace = Pick<Assignment, 'attemptTraceparent' | 'queuedMs'>;

const untraced: AttemptTrace = Object.freeze({ attemptTraceparent: undefined, queuedMs: undefined });

/** True for the attempts that continue the trace of the submission: those before a failure, a loss or a redrive. */
function continuesSubmission({ head, tip }: Snapshot): boolean {
  return head.attempt === 1 && head.losses === 0 && !tip.some(({ kind }) => kind === 'redriven');
}

/**
 * Records the claim of a task of a sampled trace, and returns what its worker must know to trace the attempt. The claim of
 * a later attempt begins a trace of its own, which links to the submission: a task may be tried for weeks.
 */
export function traceClaim(
  { tracing, clock }: ServiceContext,
  snapshot: Snapshot,
  startedAtMs: number | undefined,
): AttemptTrace {
  const { submission, head, id } = snapshot;
  const { traceparent, scope, type } = submission;
  if (!isSampled(traceparent)) return untraced;
  const sinceMs = readyBeforeClaimMs(snapshot, head.version);
  const queuedMs = sinceMs === undefined ? undefined : Math.max(0, Math.round(clock.now() - sinceMs));
  const isFirst = continuesSubmission(snapshot);
  if (!tracing.isOn) return { attemptTraceparent: isFirst ? traceparent : undefined, queuedMs };
  const span = tracing.start({
    name: spanName('claim', scope.queue),
    kind: 'internal',
    parent: isFirst ? traceparent : '',
    link: isFirst ? undefined : traceparent,
    attributes: {
      ...taskAttributes('claim', scope.queue, id, type),
      'holdfast.attempt': head.attempt,
      'holdfast.worker': head.worker,
      'holdfast.queue_time_ms': queuedMs,
    },
    startedAtMs,
  });
  span.end();
  return { attemptTraceparent: isFirst ? traceparent : span.traceparent || undefined, queuedMs };
}
