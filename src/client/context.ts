import type { Logger } from './log.ts';
import type { Submit } from './submit/submit-call.ts';

/** The second argument of a handler: the task's data, and the controls of the current attempt. */
export interface AttemptContext {
  /** The task's id. */
  readonly id: string;
  /** The name of the task type. */
  readonly type: string;
  /** The queue of the task. */
  readonly queue: string;
  /** The number of this attempt, from 1. A snoozed or released attempt, or one whose worker was lost, does not count. */
  readonly attempt: number;
  /** The largest number of attempts; after the last one fails, the task is dead. */
  readonly maxAttempts: number;
  /**
   * The idempotency key of the task, the same in every attempt. Pass it to an external system that deduplicates by key,
   * and a repeated attempt has no second effect there.
   */
  readonly idempotencyKey: string;
  /**
   * The fencing token: a number that rises with every claim of the task. Store it with each external write and refuse
   * writes that carry a lower one; then a worker that has lost its lease cannot overwrite newer data.
   */
  readonly fencingToken: number;
  /** The tags of the task. */
  readonly tags: readonly string[];
  /** Aborted when the attempt should stop; `signal.reason` is an `AttemptAborted` whose `kind` is the reason. */
  readonly signal: AbortSignal;
  /**
   * Aborted as soon as this worker begins to drain: at SIGTERM in `holdfast worker`, before a restart by `holdfast dev`,
   * by `running.drain()`. The attempt may go on until the drain's end, when `signal` is aborted. A handler that cannot
   * finish by then saves its progress and throws `stopping.reason` (the task goes back to its queue) or a `Snooze`;
   * neither uses the attempt.
   */
  readonly stopping: AbortSignal;
  /** The time by which the attempt must end: its timeout or the task's deadline, whichever is earlier. */
  readonly deadline: Date;
  /** The W3C `traceparent` of the submission; empty if it had none. */
  readonly traceparent: string;
  /**
   * The log for this attempt: each line carries `task_id`, `queue`, `attempt` and the trace ids. It never throws,
   * whatever it is given; texts of more than 8 KiB are cut.
   */
  readonly log: Logger;
  /**
   * Reports the progress of this attempt: a fraction from 0 to 1 and a note, cut to 256 characters. The progress is
   * sent at most once a second; the latest report wins. It never throws: a number outside 0 to 1 counts as the nearer
   * end, and a fraction that is no number, or a note that is no text, is not sent, with one log line for the attempt.
   */
  progress(fraction: number, note?: string): void;
  /**
   * Submits a child task. Its default idempotency key is a hash of this task's id, the child's type and its input, so
   * a repeated attempt of this handler submits no second child. A handler that waits for the result of its child
   * keeps its slot: if all slots of all workers wait like this, no worker can run the children.
   */
  readonly submit: Submit;
}
