import { create } from '@bufbuild/protobuf';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { TaskService, WatchTasksRequestSchema } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { mayRepeat, reconnectMs } from '../backoff.ts';
import type { Caller } from '../calls.ts';
import { unreadable } from '../contract/json.ts';
import type { Task } from '../contract/task.ts';
import { check, tell } from '../contract/validate.ts';
import { type Duration, durationMs } from '../duration.ts';
import { TaskFailedError } from '../errors.ts';
import { during, type Presence } from '../presence.ts';
import type { Transport } from '../transport.ts';
import { eventOf, isEnd, type State, statusOf, type TaskEvent, type TaskStatus } from './status.ts';
import { errorOfWire, type Watches } from './watches.ts';

/** One task, to ask after and to act on. */
export interface TaskHandle<R> {
  readonly id: string;
  /** Where it stands now, with its input and, once it succeeded, its result. */
  status(options?: { readonly signal?: AbortSignal }): Promise<TaskStatus>;
  /**
   * Waits for the end and gives what the handler returned. Any number of waits share one stream.
   *
   * @throws TaskFailedError where it ended dead or cancelled; HoldfastError DEADLINE_EXCEEDED, reason TIMED_OUT,
   * after `timeout` (default: none; the task goes on); the signal's reason; CONTRACT_MISMATCH where the result does
   * not fit the contract.
   */
  result(options?: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<R>;
  /** The task's events, those that were and those to come, until it ends. Goes on by itself after a cut. */
  events(options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<TaskEvent>;
  /**
   * Cancels: a waiting task at once, a running one as soon as its worker says so or its lease ends. A dead task that
   * holds its lane is skipped. At most 1,024 characters of reason.
   *
   * @throws HoldfastError FAILED_PRECONDITION, reason TASK_ENDED.
   */
  cancel(reason?: string): Promise<void>;
  /** Runs a dead task again, with all its attempts. @throws HoldfastError FAILED_PRECONDITION, reason NOT_DEAD or EXPIRES_SOON. */
  retry(): Promise<void>;
}

export interface SubmittedTask<R> extends TaskHandle<R> {
  /** The key was known: this is the task of an earlier submission, whose options stand. */
  readonly deduplicated: boolean;
  /** When the submission was answered. */
  readonly state: State;
}

export interface HandleParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly caller: Caller;
  readonly watches: Watches;
  readonly tenant: string;
  readonly presence: Presence;
}

/** What a handle knows before it asks. */
export interface Known {
  readonly id: string;
  readonly version: number;
  readonly state: State | undefined;
}

/** Pause before another look where a watch was over, but the task was not. */
const lookAgainMs = 200;

class Handle<R> implements TaskHandle<R> {
  readonly id: string;
  readonly #parts: HandleParts;
  readonly #output: StandardSchemaV1 | undefined;
  readonly #known: Known;

  constructor(parts: HandleParts, known: Known, output: StandardSchemaV1 | undefined) {
    this.id = known.id;
    this.#parts = parts;
    this.#known = known;
    this.#output = output;
  }

  status(options: { readonly signal?: AbortSignal } = {}): Promise<TaskStatus> {
    return this.#read(options.signal, true);
  }

  result(options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {}): Promise<R> {
    return during(this.#parts.presence, this.#resultWithin(options));
  }

  async #resultWithin(options: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<R> {
    const { timeout, signal } = options;
    if (timeout === undefined) return this.#result(signal);
    const ms = durationMs(timeout, 'timeout');
    const limit = new AbortController();
    const cancelTimer = this.#parts.clock.after(ms, () => limit.abort(notYet(this.id, ms)));
    try {
      return await this.#result(
        signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
      );
    } catch (thrown) {
      throw limit.signal.aborted && signal?.aborted !== true ? limit.signal.reason : thrown;
    } finally {
      cancelTimer();
    }
  }

  async #result(signal: AbortSignal | undefined): Promise<R> {
    const { watches, clock } = this.#parts;
    let { version, state } = this.#known;
    for (;;) {
      signal?.throwIfAborted();
      if (state === undefined || isEnd(state)) {
        const status = await this.#read(signal, false);
        if (isEnd(status.state)) return this.#outcome(status);
        if (state !== undefined && !isEnd(state)) await clock.sleep(lookAgainMs, signal);
        ({ version, state } = status);
      }
      await watches.ended(this.id, version, signal);
      // Ended, or gone to another life: the task itself is asked.
      state = undefined;
    }
  }

  async #outcome(status: TaskStatus): Promise<R> {
    const { state, attempt, lastError, deadReason, result } = status;
    if (state !== 'succeeded') {
      const ended = state === 'dead' ? 'dead' : 'cancelled';
      throw new TaskFailedError(this.id, ended, attempt, lastError ?? '', deadReason);
    }
    // Bytes: a worker of another kind returned what is no JSON.
    if (result instanceof Uint8Array) throw unreadable('the result is not JSON');
    if (this.#output === undefined) return result as R;
    const checked = await check(this.#output, result);
    if (checked.ok) return checked.value as R;
    const told = `The result of task ${this.id} does not fit the contract of '${status.type}': ${tell(checked.violations)}`;
    throw new HoldfastError('INVALID_ARGUMENT', 'CONTRACT_MISMATCH', told, {
      taskId: this.id,
      violations: checked.violations,
      help: 'The worker that did it has another version of this contract. Deploy the same one on both sides.',
    });
  }

  async #read(signal: AbortSignal | undefined, withPayload: boolean): Promise<TaskStatus> {
    const { caller, tenant } = this.#parts;
    const request = { id: this.id, tenant, withPayload, withResult: true };
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
    for (let tries = 0; ; ) {
      signal?.throwIfAborted();
      try {
        const request = create(WatchTasksRequestSchema, {
          tenant,
          tasks: [{ id: this.id, fromVersion: version }],
        });
        let drained = false;
        for await (const { update, error } of transport.watch(request, { signal })) {
          if (error !== undefined) throw errorOfWire(error, this.id);
          tries = 0;
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
        if (!mayRepeat(error)) throw error;
        await clock.sleep(reconnectMs(++tries, clock.random(), error.retryAfterMs), signal);
      }
    }
  }

  async cancel(reason = ''): Promise<void> {
    const { caller, tenant } = this.#parts;
    await caller.call(TaskService.method.cancelTask, { id: this.id, tenant, reason });
  }

  async retry(): Promise<void> {
    const { caller, tenant } = this.#parts;
    await caller.call(TaskService.method.retryTask, { id: this.id, tenant });
  }
}

class Submitted<R> extends Handle<R> implements SubmittedTask<R> {
  readonly deduplicated: boolean;
  readonly state: State;

  constructor(
    parts: HandleParts,
    known: Known & { state: State },
    deduplicated: boolean,
    output?: StandardSchemaV1,
  ) {
    super(parts, known, output);
    this.deduplicated = deduplicated;
    this.state = known.state;
  }
}

export function taskHandle<R>(parts: HandleParts, id: string, task: Task | undefined): TaskHandle<R> {
  return new Handle(parts, { id, version: 0, state: undefined }, task?.output);
}

export function submittedTask<R>(
  parts: HandleParts,
  task: Task,
  ok: {
    readonly id: string;
    readonly version: number;
    readonly state: State;
    readonly deduplicated: boolean;
  },
): SubmittedTask<R> {
  return new Submitted(parts, ok, ok.deduplicated, task.output);
}

function notYet(id: string, ms: number): HoldfastError {
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `Task ${id} had not ended after ${ms} ms.`, {
    taskId: id,
    help: `It goes on; wait again, or see what it waits for: holdfast show ${id}.`,
  });
}
