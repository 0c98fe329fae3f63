import type { Message } from '@bufbuild/protobuf';
import { deadReasons } from '../../core/task/event.ts';
import {
  Begun,
  DeadReason,
  EventKind,
  Priority,
  type RetryPolicy,
  type SubmitOptions,
  type Task,
  type TaskEvent,
  TaskState,
  WhenDead,
} from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { labelled, time } from '../output.ts';
import { escapeControls } from './escape-controls.ts';

function nameIn(values: Record<string, string | number>, value: number): string {
  const found = Object.entries(values).find(([, number]) => number === value);
  return found === undefined ? `#${value}` : found[0].toLowerCase().replaceAll('_', ' ');
}

export function stateName(state: TaskState): string {
  return nameIn(TaskState, state);
}

/** Returns the value of a JSON payload, or the bytes of any other payload in base64. */
function payloadValue(payload: { contentType: string; bytes: Uint8Array } | undefined): unknown {
  if (payload === undefined || payload.bytes.length === 0) return undefined;
  const text = Buffer.from(payload.bytes).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return { base64: Buffer.from(payload.bytes).toString('base64') };
  }
}

type FieldText<M> = (message: M) => unknown;
/**
 * For each field of a protobuf message, a function that returns the value to print. A field of the schema that is
 * missing in such an object is a compile error.
 */
type FieldTexts<M> = { readonly [K in Exclude<keyof M, keyof Message>]-?: FieldText<M> };

const optionTexts: FieldTexts<SubmitOptions> = {
  priority: ({ priority }) => (priority === Priority.UNSPECIFIED ? undefined : nameIn(Priority, priority)),
  tags: ({ tags }) => (tags.length === 0 ? undefined : tags),
  parentId: ({ parentId }) => parentId || undefined,
  whenDead: ({ whenDead }) => (whenDead === WhenDead.UNSPECIFIED ? undefined : nameIn(WhenDead, whenDead)),
  // In the submit options, `runAtMs` is the requested start time. The field `runAtMs` of a task is the time of its next
  // attempt.
  runAtMs: ({ runAtMs }) => runAtMs || undefined,
  delayMs: ({ delayMs }) => delayMs || undefined,
  deadlineAtMs: ({ deadlineAtMs }) => deadlineAtMs || undefined,
  lifetimeMs: ({ lifetimeMs }) => lifetimeMs || undefined,
  retentionMs: ({ retentionMs }) => retentionMs || undefined,
  windowMs: ({ windowMs }) => windowMs || undefined,
  attemptTimeoutMs: ({ attemptTimeoutMs }) => attemptTimeoutMs || undefined,
  retry: ({ retry }) => retry && fieldValues(retryTexts, retry),
  maxLosses: ({ maxLosses }) => maxLosses || undefined,
};

const retryTexts: FieldTexts<RetryPolicy> = {
  maxAttempts: ({ maxAttempts }) => maxAttempts,
  baseMs: ({ baseMs }) => Number(baseMs),
  factor: ({ factor }) => factor,
  maxMs: ({ maxMs }) => Number(maxMs),
};

function fieldValues<M>(texts: FieldTexts<M>, message: M): Record<string, unknown> {
  const entries = Object.entries(texts) as [string, FieldText<M>][];
  return Object.fromEntries(entries.map(([name, textOf]) => [name, textOf(message)]));
}

/** The options that a status of the SDK has beside the task's own fields. */
const statusOptions = ['priority', 'tags', 'parentId'] as const;

/** Returns the options as the API names them, without those that stand beside the task's own fields. */
function optionsJson(options: SubmitOptions | undefined): Record<string, unknown> {
  if (options === undefined) return {};
  const values = fieldValues(optionTexts, options);
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => !statusOptions.some((one) => one === name)),
  );
}

/** Returns the options for people: the requested start time has a name of its own beside the time of the next attempt. */
function optionsWords(options: Record<string, unknown>): Record<string, unknown> {
  const { runAtMs, ...rest } = options;
  return { notBeforeMs: runAtMs, ...rest };
}

/** Returns a task as `--json` prints it: by the names of the SDK, with times in ms, and its options by those of the API. */
export function taskJson(task: Task): Record<string, unknown> {
  const { options } = task;
  return {
    id: task.id,
    tenant: task.tenant,
    queue: task.queue,
    idempotencyKey: task.idempotencyKey,
    state: stateName(task.state),
    type: task.spec?.type,
    typeVersion: task.spec?.typeVersion,
    orderingKey: task.spec?.orderingKey || undefined,
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    losses: task.losses || undefined,
    version: task.version,
    acceptedAtMs: task.acceptedAtMs,
    runAtMs: task.runAtMs || undefined,
    endedAtMs: task.endedAtMs || undefined,
    expiresAtMs: task.expiresAtMs,
    leaseEndAtMs: task.leaseEndAtMs || undefined,
    fencingToken: task.fencingToken || undefined,
    worker: task.worker || undefined,
    lastError: task.lastError || undefined,
    deadReason: deadReasons[task.deadReason],
    blockedByTaskId: task.blockedByTaskId || undefined,
    progress: task.progress && { fraction: task.progress.fraction, note: task.progress.note },
    priority: options?.priority ? nameIn(Priority, options.priority) : undefined,
    tags: options?.tags.length ? options.tags : undefined,
    parentId: options?.parentId || undefined,
    input: payloadValue(task.spec?.payload),
    result: payloadValue(task.result),
    cancelRequested: task.cancelRequested || undefined,
    traceparent: task.traceparent || undefined,
    options: optionsJson(options),
  };
}

export function taskText(task: Task): string {
  const { options, ...own } = taskJson(task);
  return Object.entries({ ...own, ...optionsWords(options as Record<string, unknown>) })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => labelled(name, value))
    .join('\n');
}

/** Returns what an expired lease says about its attempt, or an empty text for every other event. */
function lossText({ kind, begun, alone, countsAsLoss }: TaskEvent): string {
  if (kind !== EventKind.LEASE_EXPIRED || begun === Begun.UNSPECIFIED) return '';
  if (begun === Begun.NO) return 'the handler had not begun';
  const loss = countsAsLoss
    ? 'the worker was lost'
    : 'the worker reported in time, the store did not record it';
  return [
    loss,
    begun === Begun.UNKNOWN ? 'perhaps before the handler began' : '',
    alone ? 'the task ran alone' : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Returns the kind of an event in words. */
export function eventKindName({ kind }: TaskEvent): string {
  return nameIn(EventKind, kind);
}

/** Returns the details of an event on one line, without its kind. */
export function eventWords(event: TaskEvent): string {
  const details = [
    event.attempt > 0 ? `attempt ${event.attempt}` : '',
    event.worker === '' ? '' : `by ${event.worker}`,
    lossText(event),
    event.fencingToken === 0n ? '' : `token ${event.fencingToken}`,
    event.runAtMs === 0n ? '' : `not before ${time(event.runAtMs)}`,
    event.deadReason === DeadReason.UNSPECIFIED ? '' : nameIn(DeadReason, event.deadReason),
    event.errorType,
    event.message,
    event.actor === '' ? '' : `requested by ${event.actor}`,
  ];
  return escapeControls(details.filter((part) => part !== '').join(', '));
}

export function eventLine(event: TaskEvent, index: number): string {
  const kind = eventKindName(event).padEnd(16);
  return `${String(index + 1).padStart(4)}  ${time(event.atMs)}  ${kind} ${eventWords(event)}`.trimEnd();
}
