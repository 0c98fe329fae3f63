/** The flags of `holdfast submit`: an option of docs/options.md each, and the submission that they make. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Command, InvalidArgumentError, Option, type OptionValues } from '@commander-js/extra-typings';
import { limits } from '../../../core/limits.ts';
import { priorityNumbers, whenDeadNumbers } from '../../../core/wire-numbers.ts';
import { type SubmitItem, SubmitItemSchema } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { usage } from '../../exit-codes.ts';
import { parseDuration, timeAhead } from '../../text/durations.ts';
import { collect, wholeNumber } from '../../text/numbers.ts';

/** The values of the flags of a submission. Lengths are in ms. */
export interface SubmitFlags {
  readonly key?: string | undefined;
  readonly window?: number | undefined;
  readonly whenDead?: 'return' | 'redrive' | undefined;
  readonly orderingKey?: string | undefined;
  readonly typeVersion: number;
  readonly delay?: number | undefined;
  readonly runAt?: Date | undefined;
  readonly deadline?: Date | undefined;
  readonly lifetime?: number | undefined;
  readonly retention?: number | undefined;
  readonly timeout?: number | undefined;
  readonly attempts?: number | undefined;
  readonly backoffBase?: number | undefined;
  readonly backoffFactor?: number | undefined;
  readonly backoffMax?: number | undefined;
  readonly maxLosses?: number | undefined;
  readonly priority: 'high' | 'normal' | 'low';
  readonly tag?: readonly string[] | undefined;
  readonly traceparent?: string | undefined;
}

function parseFactor(text: string): number {
  const factor = Number(text);
  if (text.trim() !== '' && Number.isFinite(factor) && factor >= 1) return factor;
  throw new InvalidArgumentError("Write a number from 1 on, such as '2' or '1.5'.");
}

/** Adds the flags of a submission to a verb. */
export function withSubmitFlags<A extends unknown[], O extends OptionValues>(
  verb: Command<A, O>,
): Command<A, O & SubmitFlags> {
  const flagged = verb
    .option('--key <key>', 'idempotency key; without it, each repeat is a new task')
    .option('--window <length>', 'how long the key stays taken, 1m to 30d; default: 24h', parseDuration)
    .addOption(
      new Option('--when-dead <what>', 'what a repeat of a dead task does; default: return').choices([
        'return',
        'redrive',
      ] as const),
    )
    .option('--ordering-key <key>', 'tasks with the same ordering key run one at a time, in order')
    .option('--type-version <n>', 'version of the task type', wholeNumber(1, 4_294_967_295), 1)
    .option('--delay <length>', 'time before the task may start, such as 10s, 5m, 2h', parseDuration)
    .option('--run-at <time>', 'the task does not start before this time with its zone', timeAhead)
    .option(
      '--deadline <time>',
      'the task must end by then, else it dies: a length such as 2h, or a time',
      timeAhead,
    )
    .option(
      '--lifetime <length>',
      'the longest time from its start to its end, else it dies; default: 14d',
      parseDuration,
    )
    .option('--retention <length>', 'how long it is kept after that; default: 7d', parseDuration)
    .option('--timeout <length>', 'the longest time of one attempt; default: 5m', parseDuration)
    .option('--attempts <n>', 'number of attempts', wholeNumber(1, limits.maxAttempts))
    .option(
      '--backoff-base <length>',
      'the upper bound of the first wait after a failure; default: 1s',
      parseDuration,
    )
    .option('--backoff-factor <n>', 'the factor by which that bound grows; default: 2', parseFactor)
    .option('--backoff-max <length>', 'the largest bound; default: 5m', parseDuration)
    .option(
      '--max-losses <n>',
      'the number of lost workers after which it is dead; default: 3',
      wholeNumber(limits.lossesBeforeAlone + 1, limits.maxLosses),
    )
    .addOption(
      new Option('--priority <level>', 'the priority')
        .choices(['high', 'normal', 'low'] as const)
        .default('normal' as const),
    )
    .option('--tag <tag>', 'a tag; repeatable', collect)
    .option('--traceparent <value>', 'the W3C traceparent of the caller');
  // The type that commander infers for so many options is too long to be written into the declarations of the package.
  return flagged as unknown as Command<A, O & SubmitFlags>;
}

/** Refuses flags that contradict each other, such as a deadline before the start: that task would die before its first attempt. */
export function checkSubmitFlags({ delay, runAt, deadline }: SubmitFlags, nowMs: number): void {
  if (delay !== undefined && runAt !== undefined)
    throw usage('--delay and --run-at both say when the task starts.', 'Give one of them.');
  const startMs = runAt?.getTime() ?? nowMs + (delay ?? 0);
  const isDelayed = runAt !== undefined || delay !== undefined;
  if (deadline === undefined || !isDelayed || startMs < deadline.getTime()) return;
  throw usage(
    'The deadline comes before the delay is over: the task would die before its first attempt.',
    'Make --deadline later than --delay or --run-at.',
  );
}

function retryOf({ attempts, backoffBase, backoffFactor, backoffMax }: SubmitFlags) {
  if ([attempts, backoffBase, backoffFactor, backoffMax].every((flag) => flag === undefined)) return {};
  const retry = {
    ...(attempts !== undefined && { maxAttempts: attempts }),
    ...(backoffBase !== undefined && { baseMs: BigInt(backoffBase) }),
    ...(backoffFactor !== undefined && { factor: backoffFactor }),
    ...(backoffMax !== undefined && { maxMs: BigInt(backoffMax) }),
  };
  return { retry };
}

const ms = (value: number | undefined): bigint => BigInt(value ?? 0);

/** Returns the submission that the flags describe. */
export function submissionOf(type: string, bytes: Uint8Array<ArrayBuffer>, flags: SubmitFlags): SubmitItem {
  const { key = '', typeVersion, orderingKey = '', traceparent = '', whenDead, maxLosses = 0 } = flags;
  const item: MessageInitShape<typeof SubmitItemSchema> = {
    idempotencyKey: key,
    spec: { type, typeVersion, orderingKey, payload: { contentType: 'application/json', bytes } },
    options: {
      delayMs: ms(flags.delay),
      runAtMs: ms(flags.runAt?.getTime()),
      deadlineAtMs: ms(flags.deadline?.getTime()),
      lifetimeMs: ms(flags.lifetime),
      retentionMs: ms(flags.retention),
      windowMs: ms(flags.window),
      attemptTimeoutMs: ms(flags.timeout),
      ...(whenDead !== undefined && { whenDead: whenDeadNumbers[whenDead] }),
      ...{ priority: priorityNumbers[flags.priority], maxLosses, tags: [...(flags.tag ?? [])] },
      ...retryOf(flags),
    },
    traceparent,
  };
  return create(SubmitItemSchema, item);
}
