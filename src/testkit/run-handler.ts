import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { InnerClient } from '../client/client.ts';
import type { AttemptContext } from '../client/context.ts';
import type { Handler } from '../client/contract/handler.ts';
import { fromPayload, toPayload } from '../client/contract/json.ts';
import type { TaskType } from '../client/contract/task.ts';
import { badInput, check } from '../client/contract/validate.ts';
import { type Logger, silent } from '../client/log.ts';
import { resultOf } from '../client/worker/outcome.ts';
import { defaults, limits } from '../core/limits.ts';
import { requireValid, whole } from '../core/rules.ts';
import type { Clock } from '../ports/clock.ts';

/** The fields of `context` that a call of `kit.run` may choose. */
export interface RunOptions {
  /** The number of the attempt, from 1. Default: 1. */
  readonly attempt?: number | undefined;
  /** The id of the task. Default: a new one, of no task in the kit's store. */
  readonly id?: string | undefined;
  /** The idempotency key of the task. Default: what the task type derives from the input, else the id. */
  readonly idempotencyKey?: string | undefined;
  /** The tags of the task. Default: none. */
  readonly tags?: readonly string[] | undefined;
  /** The fencing token. Default: the number of the attempt. */
  readonly fencingToken?: number | undefined;
  /** The signal of the attempt. Default: one that is never aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The signal that the worker drains. Default: one that is never aborted. */
  readonly stopping?: AbortSignal | undefined;
}

/** The type of `kit.run`. */
export type RunHandler = (handler: Handler, input: unknown, options?: RunOptions) => Promise<unknown>;

export interface RunParts {
  readonly clock: Clock;
  readonly client: InnerClient;
  readonly log: Logger | undefined;
}

const attemptRule = whole(1, limits.maxAttempts);

export function runHandler(parts: RunParts): RunHandler {
  return async (handler, input, options = {}) => {
    requireValid('attempt', attemptRule, options.attempt ?? 1);
    const { task } = handler;
    const result = await handler.run(
      await receivedInput(task, input),
      contextOf(parts, handler, input, options),
    );
    await resultOf(task, result);
    return result;
  };
}

/** Returns the input as a handler gets it: sent as JSON, then validated and transformed by the schema. */
async function receivedInput(task: TaskType, input: unknown): Promise<unknown> {
  const sent = fromPayload(toPayload(input, `The input of '${task.name}'`, limits.payloadBytes));
  const checked = await check<StandardSchemaV1>(task.input, sent);
  if (!checked.ok) throw badInput(task.name, checked.violations);
  return checked.value;
}

function contextOf(
  { clock, client, log = silent }: RunParts,
  { task, timeoutMs }: Handler,
  input: unknown,
  options: RunOptions,
): AttemptContext {
  const { attempt = 1, id = clock.uuid(), tags = [], fencingToken = attempt } = options;
  const { contract } = task;
  const limitMs = timeoutMs ?? contract.timeoutMs ?? defaults.attemptTimeoutMs;
  const never = new AbortController().signal;
  return {
    ...{ id, attempt, tags, fencingToken, log },
    type: task.name,
    queue: contract.queue,
    maxAttempts: contract.maxAttempts ?? defaults.maxAttempts,
    idempotencyKey: options.idempotencyKey ?? contract.idempotencyKey?.(input) ?? id,
    signal: options.signal ?? never,
    stopping: options.stopping ?? never,
    deadline: new Date(clock.now() + limitMs),
    traceparent: '',
    progress() {},
    submit: (child, childInput, childOptions = {}) =>
      client.submitChild(child as unknown as TaskType, childInput, childOptions, {
        id,
        traceparent: '',
      }) as never,
  };
}
