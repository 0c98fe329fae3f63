import { create } from '@bufbuild/protobuf';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { TaskView } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService, WatchTasksRequestSchema } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { mayRepeat, reconnectMs } from '../backoff.ts';
import type { Caller } from '../calls.ts';
import { unreadablePayload } from '../contract/json.ts';
import type { TaskType } from '../contract/task.ts';
import { check, formatViolations } from '../contract/validate.ts';
import { type Duration, durationMs } from '../duration.ts';
import { TaskFailedError } from '../errors.ts';
import { during, type Presence } from '../presence.ts';
import type { Transport } from '../transport.ts';
import { type Explanation, explanationOf } from './explanation.ts';
import { eventOf, isEnd, type State, statusOf, type TaskEvent, type TaskStatus } from './status.ts';
import { errorFromWire, type Watches } from './watches.ts';

/** A handle to one task: reads its status, waits for its result, follows its events, cancels or redrives it. */
export interface TaskHandle<R> {
  /** The id of the task. */
  readonly id: string;
  /**
   * Reads the current status of the task, with its input and, once it has succeeded, its result.
   *
   * @throws HoldfastError NOT_FOUND, reason TASK_NOT_FOUND, if the task does not exist or has expired.
   */
  status(options?: { readonly signal?: AbortSignal }): Promise<TaskStatus>;
  /**
   * Explains why the task has not completed, or how it ended: one cause as a code and a sentence, with the times, ids and
   * workers that show it.
   *
   * @throws HoldfastError NOT_FOUND, reason TASK_NOT_FOUND, if the task does not exist or has expired.
   *
   * @example
   * ```ts
   * const { verdict, sentence, next } = await task.explain();
   * if (verdict === 'NO_WORKER') console.error(sentence, next);
   * ```
   */
  explain(options?: { readonly signal?: AbortSignal }): Promise<Explanation>;
  /**
   * Waits until the task has ended and returns its result, validated and transformed by the output schema. Waiting is
   * cheap: many waits of one client share a few streams, and a lost connection is restored.
   *
   * Without `timeout` the wait has no limit. After `timeout` the wait ends with an error and the task continues.
   *
   * @throws TaskFailedError if the task is dead or cancelled.
   * @throws HoldfastError DEADLINE_EXCEEDED, reason TIMED_OUT, if the task has not ended within `timeout`.
   * @throws HoldfastError INVALID_ARGUMENT, reason CONTRACT_MISMATCH, if the result does not fit the output schema.
   * @throws The reason of `signal` if it is aborted.
   *
   * @example
   * ```ts
   * try {
   *   const { messageId } = await task.result({ timeout: '1m' });
   *   console.log(messageId);
   * } catch (error) {
   *   if (error instanceof TaskFailedError) console.error(error.state, error.lastError);
   *   else throw error;
   * }
   * ```
   */
  result(options?: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<R>;
  /**
   * Iterates over the events of the task: first the recorded ones, then new ones as they happen, until the task has
   * ended. A lost connection is restored without losing or repeating events. `after` skips the events up to that
   * version.
   */
  events(options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<TaskEvent>;
  /**
   * Cancels the task. A waiting task is cancelled at once; a running one when its handler stops or its lease ends. A
   * dead task that blocks the later tasks of its ordering key becomes cancelled, so that they can run.
   *
   * @param reason A text for the task's history, at most 1,024 characters.
   * @throws HoldfastError FAILED_PRECONDITION, reason TASK_ENDED, if the task has already ended.
   */
  cancel(reason?: string): Promise<void>;
  /**
   * Redrives a dead task: it runs again with all its attempts.
   *
   * @throws HoldfastError FAILED_PRECONDITION, reason NOT_DEAD if the task is not dead, or EXPIRES_SOON if it would be
   * deleted before it could run.
   */
  redrive(): Promise<void>;
}

/** The handle that `submit` returns. */
export interface SubmittedTask<R> extends TaskHandle<R> {
  /**
   * True if the idempotency key was already in use with an equal input: then this is the existing task, and the options
   * of this submission had no effect.
   */
  readonly deduplicated: boolean;
  /** The state of the task when the server answered the submission. */
  readonly state: State;
}

/** The parts of a client that its task handles share. */
export interface HandleParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly caller: Caller;
  readonly watches: Watches;
  readonly tenant: string;
  readonly presence: Presence;
}

/** The id of a handle's task, and the version and state that the submission returned, if the handle comes from one. */
export interface HandleSeed {
  readonly id: string;
  readonly version: number;
  readonly state: State | undefined;
}

/** The time to wait before a task is read again if its watch stream ended although the task had not ended. */
const rereadAfterMs = 200;

class Handle<R> implements TaskHandle<R> {
  readonly id: string;
  readonly #parts: HandleParts;
  readonly #output: StandardSchemaV1 | undefined;
  readonly #seed: HandleSeed;

  constructor(parts: HandleParts, seed: HandleSeed, output: StandardSchemaV1 | undefined) {
    this.id = seed.id;
    this.#parts = parts;
    this.#seed = seed;
    this.#output = output;
  }

  status(options: { readonly signal?: AbortSignal } = {}): Promise<TaskStatus> {
    return this.#read(options.signal, TaskView.FULL);
  }

  async explain({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Explanation> {
    const { caller, tenant } = this.#parts;
    const answer = await caller.call(TaskService.method.explainTask, { id: this.id, tenant }, signal);
    const explanation = explanationOf(answer);
    if (explanation === undefined)
      throw new HoldfastError('INTERNAL', 'BUG', 'The server answered without a verdict.');
    return explanation;
  }

  result(options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {}): Promise<R> {
    return during(this.#parts.presence, this.#resultWithin(options));
  }

  async #resultWithin(options: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<R> {
    const { timeout, signal } = options;
    if (timeout === undefined) return this.#waitForResult(signal);
    const ms = durationMs(timeout, 'timeout');
    const limit = new AbortController();
    const cancelTimer = this.#parts.clock.after(ms, () => limit.abort(resultTimedOut(this.id, ms)));
    try {
      return await this.#waitForResult(
        signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
      );
    } catch (thrown) {
      throw limit.signal.aborted && signal?.aborted !== true ? limit.signal.reason : thrown;
    } finally {
      cancelTimer();
    }
  }

  async #waitForResult(signal: AbortSignal | undefined): Promise<R> {
    const { watches, clock } = this.#parts;
    let { version, state } = this.#seed;
    for (;;) {
      signal?.throwIfAborted();
      if (state === undefined || isEnd(state)) {
        const status = await this.#read(signal, TaskView.RESULT);
        if (isEnd(status.state)) return this.#resultOf(status);
        if (state !== undefined && !isEnd(state)) await clock.sleep(rereadAfterMs, signal);
        ({ version, state } = status);
      }
      await watches.ended(this.id, version, signal);
      // The task has ended, or was redriven in the meantime: read it again to know which.
      state = undefined;
    }
  }

  async #resultOf(status: TaskStatus): Promise<R> {
    const { state, attempt, lastError, deadReason, result } = status;
    if (state !== 'succeeded') {
      const ended = state === 'dead' ? 'dead' : 'cancelled';
      throw new TaskFailedError(this.id, ended, attempt, lastError ?? '', deadReason);
    }
    // The result is bytes if a worker of another SDK returned something other than JSON.
    if (result instanceof Uint8Array) throw unreadablePayload('the result is not JSON');
    if (this.#output === undefined) return result as R;
    const checked = await check(this.#output, result);
    if (checked.ok) return checked.value as R;
    const message = `The result of task ${this.id} does not fit the contract of '${status.type}': ${formatViolations(checked.violations)}`;
    throw new HoldfastError('INVALID_ARGUMENT', 'CONTRACT_MISMATCH', message, {
      taskId: this.id,
      violations: checked.violations,
      help: 'The worker that ran the task has another version of this contract. Deploy the same version on both sides.',
    });
  }

  async #read(signal: AbortSignal | undefined, view: TaskView): Promise<TaskStatus> {
    const { caller, tenant } = this.#parts;
    const request = { id: this.id, tenant, view };
    const { task } = await caller.call(TaskService.method.getTask, request, signal);
    if (task === undefined) throw new HoldfastError('INTERNAL', 'BUG', 'The server answered without a task.');
    return statusOf(task);
  }

  async *events(
    options: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<TaskEvent> {
    this.#parts.presence.enter();
    try {
      yield* this.#events(options);
    } finally {
      this.#parts.presence.leave();
    }
  }

  async *#events(options: {
    readonly after?: number;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<TaskEvent> {
    const { transport, clock, tenant } = this.#parts;
    const { after = 0, signal } = options;
    let version = after;
    let wasServed = false;
    for (let tries = 0; ; ) {
      signal?.throwIfAborted();
      try {
        const request = create(WatchTasksRequestSchema, {
          tenant,
          tasks: [{ id: this.id, fromVersion: version }],
        });
        let drained = false;
        for await (const { update, error } of transport.watch(request, { signal })) {
          if (error !== undefined) throw errorFromWire(error, this.id);
          tries = 0;
          wasServed = true;
          if (update?.update.case === 'drain') drained = true;
          if (update?.update.case !== 'event') continue;
          const event = eventOf(update.update.value);
          version = event.version;
          yield event;
        }
        if (!drained) return;
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        if (signal?.aborted === true) throw signal.reason;
        if (!mayRepeat(error, wasServed)) throw error;
        await clock.sleep(reconnectMs(++tries, clock.random(), error.retryAfterMs), signal);
      }
    }
  }

  async cancel(reason = ''): Promise<void> {
    const { caller, tenant } = this.#parts;
    await caller.call(TaskService.method.cancelTask, { id: this.id, tenant, reason });
  }

  async redrive(): Promise<void> {
    const { caller, tenant } = this.#parts;
    await caller.call(TaskService.method.redriveTask, { id: this.id, tenant });
  }
}

class SubmittedHandle<R> extends Handle<R> implements SubmittedTask<R> {
  readonly deduplicated: boolean;
  readonly state: State;

  constructor(
    parts: HandleParts,
    seed: HandleSeed & { state: State },
    deduplicated: boolean,
    output?: StandardSchemaV1,
  ) {
    super(parts, seed, output);
    this.deduplicated = deduplicated;
    this.state = seed.state;
  }
}

/**
 * Returns a handle for a task id. If a task type is given, the result is validated against the type's output schema.
 */
export function taskHandle<R>(parts: HandleParts, id: string, task: TaskType | undefined): TaskHandle<R> {
  return new Handle(parts, { id, version: 0, state: undefined }, task?.output);
}

/** Returns the handle for an accepted submission. */
export function submittedTask<R>(
  parts: HandleParts,
  task: TaskType,
  ok: {
    readonly id: string;
    readonly version: number;
    readonly state: State;
    readonly deduplicated: boolean;
  },
): SubmittedTask<R> {
  return new SubmittedHandle(parts, ok, ok.deduplicated, task.output);
}

function resultTimedOut(id: string, ms: number): HoldfastError {
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `Task ${id} did not end within ${ms} ms.`, {
    taskId: id,
    help: `The task continues. Wait again, or see its status: holdfast show ${id}.`,
  });
}
