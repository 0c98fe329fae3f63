import { traceIdsOf } from '../core/submission/traceparent.ts';
import type { LogFields } from './log.ts';
import type { Snapshot } from './task-store.ts';

/** Returns the fields of every log line about a task. The trace is that of its submission; the worker is that of its lease. */
export function taskFields({
  id,
  submission,
  head,
}: Pick<Snapshot, 'id' | 'submission' | 'head'>): LogFields {
  const { scope, type, traceparent } = submission;
  return {
    task_id: id,
    queue: scope.queue,
    type,
    attempt: head.attempt,
    ...(head.state === 'running' && { worker: head.worker }),
    ...traceIdsOf(traceparent),
  };
}
