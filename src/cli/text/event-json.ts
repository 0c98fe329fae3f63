import { begunWords, deadReasons, eventKinds } from '../../core/task/event.ts';
import type { TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';

/** Returns an event as `--json` prints it: kinds and reasons in the words of the SDK, and no empty fields. */
export function eventJson(event: TaskEvent, index: number): Record<string, unknown> {
  return {
    version: index + 1,
    kind: eventKinds[event.kind] ?? 'unknown',
    atMs: event.atMs,
    attempt: event.attempt || undefined,
    worker: event.worker || undefined,
    fencingToken: event.fencingToken || undefined,
    runAtMs: event.runAtMs || undefined,
    timeoutAtMs: event.timeoutAtMs || undefined,
    deadlineAtMs: event.deadlineAtMs || undefined,
    lifetimeEndAtMs: event.lifetimeEndAtMs || undefined,
    deadReason: deadReasons[event.deadReason],
    errorType: event.errorType || undefined,
    message: event.message || undefined,
    actor: event.actor || undefined,
    resultBytes: event.resultBytes || undefined,
    inLane: event.inLane || undefined,
    holdsLane: event.holdsLane || undefined,
    countsAsRelease: event.countsAsRelease || undefined,
    begun: begunWords[event.begun],
    alone: event.alone || undefined,
    countsAsLoss: event.countsAsLoss || undefined,
  };
}
