import { eventKinds } from '../../core/task/event.ts';
import { EventKind, type TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';

/** One attempt of a task, as its events show it. */
export interface AttemptRow {
  readonly attempt: number;
  readonly worker: string;
  readonly claimedAtMs: number;
  /** How long a worker held the task: until the attempt ended, or until now. */
  readonly durationMs: number;
  /** The kind of the event that ended the attempt, or `running` if none has. */
  readonly outcome: string;
  readonly error: string;
}

const ends: ReadonlySet<EventKind> = new Set([
  ...[EventKind.CLAIM_RELEASED, EventKind.LEASE_EXPIRED, EventKind.FAILED, EventKind.SNOOZED],
  ...[EventKind.SUCCEEDED, EventKind.DIED, EventKind.CANCELLED],
]);

/** Returns the attempts whose claims are among these events, oldest first. */
export function attemptsOf(events: readonly TaskEvent[], nowMs: number): AttemptRow[] {
  return events.flatMap((claimed, i) => {
    if (claimed.kind !== EventKind.CLAIMED) return [];
    const end = events.slice(i + 1).find(({ kind }) => ends.has(kind) || kind === EventKind.CLAIMED);
    const claimedAtMs = Number(claimed.atMs);
    const { attempt, worker } = claimed;
    const durationMs = Math.max(0, (end === undefined ? nowMs : Number(end.atMs)) - claimedAtMs);
    const outcome = end === undefined ? 'running' : (eventKinds[end.kind] ?? 'unknown');
    const error = [end?.errorType ?? '', end?.message ?? ''].filter((part) => part !== '').join(': ');
    return [{ attempt, worker, claimedAtMs, durationMs, outcome, error }];
  });
}
