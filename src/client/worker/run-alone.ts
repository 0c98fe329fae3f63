import type { Assignment } from '../../core/messages.ts';
import type { Progress } from '../../core/task/head.ts';
import type { WorkerSpec } from '../contract/handler.ts';
import type { Transport } from '../transport.ts';
import type { AttemptOutcome } from './outcome.ts';

/** An attempt of a task that must run alone, as the process that holds its lease hands it to another process. */
export interface AloneAttempt {
  readonly assignment: Assignment;
  /** The name of the task type. */
  readonly type: string;
  /** The signals of the handler's context: `signal` and `stopping`. */
  readonly signal: AbortSignal;
  readonly stopping: AbortSignal;
  /** Aborted once the attempt has ended in this process, whether or not the other process still runs the handler. */
  readonly over: AbortSignal;
  /** The connection by which the handler submits tasks. */
  readonly transport: Transport;
  progressed(progress: Progress): void;
}

/** How an attempt ended in a process of its own. */
export type AloneEnd =
  /** `outcome` is undefined if the attempt has lost its lease. */
  | { readonly kind: 'ended'; readonly outcome: AttemptOutcome | undefined }
  /** The process ended after it was given the attempt. `how` says how, for example `exit code 1`. */
  | { readonly kind: 'lost'; readonly how: string }
  /** The process ended before it was given the attempt. */
  | { readonly kind: 'notBegun'; readonly how: string };

/** Runs the handler of one attempt in a process of its own. It never rejects. */
export interface AloneRunner {
  /** The most processes at one time. */
  readonly processes: number;
  run(attempt: AloneAttempt): Promise<AloneEnd>;
}

/** The property of a worker definition that holds its runner. Only the command sets it. */
const runner = Symbol('runs alone by');

/** Returns a copy of a worker definition whose tasks that must run alone are run by this runner. */
export function withAloneRunner(spec: WorkerSpec, run: AloneRunner): WorkerSpec {
  return { ...spec, [runner]: run } as WorkerSpec;
}

/** Returns the runner of a worker definition; undefined if such tasks run in the worker's own process. */
export function aloneRunnerOf(spec: WorkerSpec): AloneRunner | undefined {
  return (spec as { readonly [runner]?: AloneRunner })[runner];
}
