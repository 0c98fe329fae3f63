import type { Logger } from './log.ts';
import type { Submit } from './submit/submit-call.ts';

/** What a handler knows of its attempt. */
export interface Context {
  /** The task's id. */
  readonly id: string;
  /** The task type's name. */
  readonly type: string;
  readonly queue: string;
  /** From 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The task's key: pass it on to whatever deduplicates, and the effect happens once. */
  readonly idempotencyKey: string;
  /**
   * Rises with every claim of the task. Store it beside an effect and refuse a lower one: so a worker that lost its
   * lease changes nothing any more.
   */
  readonly fencingToken: number;
  readonly tags: readonly string[];
  /** Aborted when the attempt should stop; `signal.reason` is an `AttemptAborted` whose `kind` says why. */
  readonly signal: AbortSignal;
  /** The earlier of the attempt's end and the task's own deadline, on this machine's clock. */
  readonly deadline: Date;
  /** W3C `traceparent` of the submission; empty where it had none. */
  readonly traceparent: string;
  /** Carries task_id, queue, attempt and the trace. */
  readonly log: Logger;
  /** How far the attempt is, 0 to 1, and a note of at most 256 characters. Told at most once a second; the last one counts. */
  progress(fraction: number, note?: string): void;
  /**
   * Submits a child. Its key comes from this task, its type and its input, so that a retry of this handler makes no
   * second one. Waiting for a child's result in here holds this slot: with every slot waiting, none is left to do it.
   */
  readonly submit: Submit;
}
