/**
 * Converts the service's answers to generated protobuf messages. Durations and times become bigints; absent ones become
 * 0.
 */
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { eventSchema } from '../../../core/codec/event.ts';
import { type Verdict, verdictCodes } from '../../../core/explain/verdict.ts';
import { forTenant } from '../../../core/explain/words.ts';
import type { Assignment, HeartbeatAnswer, ItemError, SubmitResult } from '../../../core/messages.ts';
import type { Options, Submission } from '../../../core/submission/submission.ts';
import { begunWords, type TaskEvent } from '../../../core/task/event.ts';
import { type Progress, shownState } from '../../../core/task/head.ts';
import { priorityNumbers, stateNumbers, whenDeadNumbers } from '../../../core/wire-numbers.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { QueueView, TaskDetails, WatchUpdate, WorkerView } from '../../../service/service.ts';
import { Code } from '../../gen/google/rpc/code_pb.ts';
import type { QueueSchema, WorkerSchema } from '../../gen/holdfast/v1/admin_service_pb.ts';
import {
  Begun,
  PayloadSchema,
  type Spec,
  SpecSchema,
  type SubmitOptions,
  TaskEventSchema,
  type TaskSchema,
} from '../../gen/holdfast/v1/task_pb.ts';
import type {
  ItemErrorSchema,
  SubmitResultSchema,
  VerdictCode,
  VerdictSchema,
  WatchTaskResponseSchema,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import type { AssignmentSchema, HeartbeatAnswerSchema } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { CompleteMessage } from '../complete-message.ts';
import { causeNumbers, deadReasonNumber, eventNumber, onDeadNumbers, verdictNumbers } from './enums.ts';

export function int64(value: number | undefined): bigint {
  return value === undefined ? 0n : BigInt(value);
}

function specOf(submission: Submission, withPayload: boolean): Spec {
  if (withPayload) return fromBinary(SpecSchema, submission.spec);
  const { type, typeVersion, orderingKey } = submission;
  return create(SpecSchema, { type, typeVersion, orderingKey: orderingKey ?? '' });
}

export function optionsOf(options: Options): CompleteMessage<SubmitOptions> {
  const { retry } = options;
  return {
    runAtMs: int64(options.runAtMs),
    // The delay of a submission was converted to `runAtMs` when the task was accepted.
    delayMs: 0n,
    deadlineAtMs: int64(options.deadlineAtMs),
    lifetimeMs: int64(options.lifetimeMs),
    retentionMs: int64(options.retentionMs),
    windowMs: int64(options.windowMs),
    priority: priorityNumbers[options.priority],
    retry: {
      maxAttempts: retry.maxAttempts,
      baseMs: int64(retry.baseMs),
      factor: retry.factor,
      maxMs: int64(retry.maxMs),
    },
    attemptTimeoutMs: int64(options.attemptTimeoutMs),
    tags: [...options.tags],
    parentId: options.parentId ?? '',
    whenDead: whenDeadNumbers[options.whenDead],
    maxLosses: options.maxLosses,
  };
}

/** Task fields that only a read of a single task returns. Reads of many tasks return the task without them. */
export interface TaskExtras {
  readonly withPayload?: boolean;
  readonly result?: Uint8Array | undefined;
  readonly blockedByTaskId?: string | undefined;
}

export function taskToWire(snapshot: Snapshot, extras: TaskExtras = {}): MessageInitShape<typeof TaskSchema> {
  const { id, submission, head } = snapshot;
  const { scope, options } = submission;
  return {
    id,
    tenant: scope.tenant,
    queue: scope.queue,
    idempotencyKey: scope.key,
    state: stateNumbers[shownState(head)],
    version: head.version,
    revision: head.revision,
    spec: specOf(submission, extras.withPayload ?? false),
    options: optionsOf(options),
    acceptedAtMs: int64(submission.acceptedAtMs),
    expiresAtMs: int64(submission.expiresAtMs),
    attempt: head.attempt,
    maxAttempts: options.retry.maxAttempts,
    fencingToken: int64(head.fencingToken),
    leaseEndAtMs: int64(head.leaseEndAtMs),
    worker: head.worker,
    runAtMs: int64(head.waitUntilMs),
    ...(head.progress === undefined ? {} : { progress: head.progress }),
    ...(extras.result === undefined ? {} : { result: fromBinary(PayloadSchema, extras.result) }),
    deadReason: deadReasonNumber(head.deadReason),
    lastError: head.lastError,
    cancelRequested: head.cancelRequested,
    endedAtMs: int64(head.endedAtMs),
    blockedByTaskId: extras.blockedByTaskId ?? '',
    traceparent: submission.traceparent,
    losses: head.losses,
  };
}

export function viewToWire(view: TaskDetails, withPayload: boolean): MessageInitShape<typeof TaskSchema> {
  return taskToWire(view.snapshot, {
    withPayload,
    result: view.result,
    blockedByTaskId: view.blockedByTaskId,
  });
}

/**
 * Converts a task event to its protobuf message. An event of a kind that this version does not know is returned as it
 * was stored.
 */
export function eventToWire(event: TaskEvent): MessageInitShape<typeof TaskEventSchema> {
  if (event.kind === 'unknown') return fromBinary(TaskEventSchema, event.bytes);
  return {
    kind: eventNumber(event.kind),
    schema: eventSchema,
    atMs: int64(event.atMs),
    ...('fencingToken' in event ? { fencingToken: int64(event.fencingToken) } : {}),
    ...detailsOf(event),
  };
}

type KnownEvent = Exclude<TaskEvent, { kind: 'unknown' }>;

function detailsOf(event: KnownEvent): MessageInitShape<typeof TaskEventSchema> {
  switch (event.kind) {
    case 'submitted':
      return {
        runAtMs: int64(event.runAtMs),
        deadlineAtMs: int64(event.deadlineAtMs),
        lifetimeEndAtMs: int64(event.lifetimeEndAtMs),
        inLane: event.inLane,
      };
    case 'claimed':
      return {
        attempt: event.attempt,
        worker: event.worker,
        timeoutAtMs: int64(event.timeoutAtMs),
        begun: event.begins ? Begun.YES : Begun.UNSPECIFIED,
      };
    case 'claimReleased':
      return { runAtMs: int64(event.retryAtMs), countsAsRelease: event.countsAsRelease };
    case 'leaseExpired': {
      const { begun, alone, countsAsLoss, retryAtMs } = event;
      const runAtMs = int64(retryAtMs);
      return { begun: begunWords.indexOf(begun) as Begun, alone, countsAsLoss, runAtMs };
    }
    case 'failed':
      return { runAtMs: int64(event.retryAtMs), message: event.message, errorType: event.errorType };
    case 'snoozed':
      return { runAtMs: int64(event.runAtMs) };
    case 'succeeded':
      return { resultBytes: event.resultBytes };
    case 'died':
      return {
        deadReason: deadReasonNumber(event.reason),
        message: event.message,
        errorType: event.errorType,
        holdsLane: event.holdsLane,
      };
    case 'cancelRequested':
    case 'cancelled':
      return { actor: event.actor, message: event.message };
    case 'redriven':
      return { actor: event.actor, lifetimeEndAtMs: int64(event.lifetimeEndAtMs) };
    case 'laneReleased':
      return { actor: event.actor };
  }
}

export function evidenceToWire(evidence: Verdict['evidence']): Record<string, string> {
  const known = Object.entries(evidence).filter(([, value]) => value !== '');
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

/** `tenant` is the one that the caller has named, or empty. */
export function verdictToWire(verdict: Verdict, tenant: string): MessageInitShape<typeof VerdictSchema> {
  return {
    code: verdictCodes.indexOf(verdict.code) as VerdictCode,
    sentence: verdict.sentence,
    sinceMs: int64(verdict.sinceMs),
    untilMs: int64(verdict.untilMs),
    evidence: evidenceToWire(verdict.evidence),
    nextCommand: forTenant(verdict.next, tenant),
  };
}

export function updateToWire(update: WatchUpdate): MessageInitShape<typeof WatchTaskResponseSchema> {
  if (update.kind === 'progress')
    return { update: { case: 'progress', value: progressToWire(update.progress) } };
  const { version, event, state } = update;
  return {
    update: { case: 'event', value: { version, event: eventToWire(event), state: stateNumbers[state] } },
  };
}

function progressToWire({ fraction, note }: Progress): { fraction: number; note: string } {
  return { fraction, note };
}

export function errorToWire(error: ItemError): MessageInitShape<typeof ItemErrorSchema> {
  return {
    code: Code[error.code],
    reason: error.reason,
    message: error.message,
    help: error.help ?? '',
    taskId: error.taskId ?? '',
    retryAfterMs: int64(error.retryAfterMs),
    violations: error.violations.map(({ field, description }) => ({ field, description })),
  };
}

export function submitResultToWire(result: SubmitResult): MessageInitShape<typeof SubmitResultSchema> {
  if (result.error !== undefined) return { error: errorToWire(result.error) };
  const { id, deduplicated, state, version } = result;
  return { id, deduplicated, state: stateNumbers[state], version };
}

export function assignmentToWire(task: Assignment): MessageInitShape<typeof AssignmentSchema> {
  return {
    taskId: task.id,
    lease: task.lease,
    spec: fromBinary(SpecSchema, task.spec),
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    fencingToken: int64(task.fencingToken),
    idempotencyKey: task.key,
    queue: task.queue,
    tenant: task.tenant,
    leaseMs: int64(task.leaseMs),
    timeoutMs: int64(task.timeoutMs),
    deadlineInMs: int64(task.deadlineInMs),
    traceparent: task.traceparent,
    parentId: task.parentId,
    tags: [...task.tags],
    alone: task.alone,
    losses: task.losses,
    recordsBegin: task.recordsBegin,
    attemptTraceparent: task.attemptTraceparent ?? '',
    queuedMs: int64(task.queuedMs ?? 0),
  };
}

export function heartbeatAnswerToWire(
  answer: HeartbeatAnswer,
): MessageInitShape<typeof HeartbeatAnswerSchema> {
  const verdict = verdictNumbers[answer.verdict];
  switch (answer.verdict) {
    case 'renewed':
      return { verdict, leaseMs: int64(answer.leaseMs) };
    case 'cancel':
      return { verdict, cause: causeNumbers[answer.cause] };
    case 'leaseLost':
      return { verdict };
    case 'error':
      return { verdict, error: errorToWire(answer.error) };
  }
}

export function queueToWire(view: QueueView): MessageInitShape<typeof QueueSchema> {
  const { tenant, queue, paused, pause, onDead, workers, counts } = view;
  return {
    tenant,
    name: queue,
    paused,
    onDead: onDeadNumbers[onDead],
    workers,
    ...(counts && { counts: countsToWire(counts) }),
    ...(pause && { pause: pauseToWire(pause) }),
  };
}

function countsToWire(counts: NonNullable<QueueView['counts']>) {
  const { scheduled, ready, running, dead, reserved, atLeast = false } = counts;
  return {
    ...{ scheduled: int64(scheduled), ready: int64(ready), running: int64(running), dead: int64(dead) },
    ...{ atLeast, reserved: int64(reserved) },
  };
}

function pauseToWire({ sinceMs, actor, reason = '', untilMs = 0 }: NonNullable<QueueView['pause']>) {
  return { sinceMs: int64(sinceMs), actor, reason, untilMs: int64(untilMs) };
}

export function workerToWire(view: WorkerView): MessageInitShape<typeof WorkerSchema> {
  const { name, id, queues, types, maxVersions, inFlight, reserved } = view;
  const { connectedAtMs, node, unlistedCount, polls } = view;
  return {
    name,
    id,
    queues: [...queues],
    types: [...types],
    maxVersions: [...maxVersions],
    inFlight,
    reserved,
    connectedAtMs: int64(connectedAtMs),
    node,
    unlistedCount,
    polls,
  };
}
