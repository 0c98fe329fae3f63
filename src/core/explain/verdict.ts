/**
 * The codes of verdicts, each at the index of its number in `holdfast.v1.VerdictCode`. Scripts match them: add new codes at
 * the end; never reorder them.
 */
export const verdictCodes = [
  undefined,
  'NOT_DUE',
  'QUEUE_PAUSED',
  'NO_WORKER',
  'NO_WORKER_FOR_TYPE',
  'NO_WORKER_FOR_VERSION',
  'WORKERS_FULL',
  'LANE_WAITS',
  'LANE_HELD_BY_DEAD',
  'BACKOFF',
  'RUNNING',
  'RUNNING_SILENT',
  'LEASE_LOST',
  'CANCEL_ASKED',
  'MESSAGE_LOST',
  'STORE_THROTTLED',
  'DEAD_ATTEMPTS',
  'DEAD_FATAL',
  'DEAD_DEADLINE',
  'DEAD_LIFETIME',
  'CANCELLED',
  'SUCCEEDED',
  'GONE',
  'DUPLICATE_OF',
  'SNOOZED',
  'RESERVED',
  'RUNS_ALONE',
  'DEAD_WORKER_LOST',
  'SERVER_GRACE',
  'STARTING',
  'STORE_FULL',
] as const;
export type VerdictCode = NonNullable<(typeof verdictCodes)[number]>;

/** The answer to "why has this task not completed?": one cause, in words and for scripts. */
export interface Verdict {
  readonly code: VerdictCode;
  /** One sentence for people. */
  readonly sentence: string;
  /** Since when the cause holds, in ms since the epoch, if that is known. */
  readonly sinceMs?: number | undefined;
  /** When the cause ends by itself at the latest, in ms since the epoch, if that is known. */
  readonly untilMs?: number | undefined;
  /** The ids, workers and numbers that show the cause, by their names. */
  readonly evidence: Readonly<Record<string, string | number>>;
  /** The command that shows more or ends the cause. Empty if nothing need be done, or no command does it. */
  readonly next: string;
}
