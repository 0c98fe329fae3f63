/**
 * The hot messages as generated code has them: each value put into the field of its name. Written apart from the
 * codec, so that a number which both of its directions got wrong shows.
 */
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { codes } from '../../src/core/errors.ts';
import type { TaskEvent } from '../../src/core/event.ts';
import type {
  Assignment,
  CancelCause,
  HeartbeatAnswer,
  ItemError,
  ReportRequest,
  ReportResponse,
  Settlement,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../src/core/messages.ts';
import type { OptionsRequest } from '../../src/core/submission.ts';
import type { Whole } from '../../src/rpc/api/whole.ts';
import { Code } from '../../src/rpc/gen/google/rpc/code_pb.ts';
import {
  DeadReason,
  EventKind,
  PayloadSchema,
  Priority,
  SpecSchema,
  type SubmitOptions,
  TaskEventSchema,
  TaskState,
  WhenDead,
} from '../../src/rpc/gen/holdfast/v1/task_pb.ts';
import {
  type ItemErrorSchema,
  SubmitTasksRequestSchema,
  SubmitTasksResponseSchema,
} from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import * as gen from '../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';

/** `leaseLost` → `LEASE_LOST`: how the schema writes a word of ours. */
function upper(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function member(numbers: Readonly<Record<string, number | string>>, word: string): number {
  const number = numbers[upper(word)];
  if (typeof number !== 'number') throw new Error(`the schema has no ${upper(word)}`);
  return number;
}

function big(ms: number | undefined): bigint {
  return BigInt(ms ?? 0);
}

type Fields = Whole<SubmitOptions>;

export function generatedOptions(
  asked: OptionsRequest,
): Omit<Fields, 'retry'> & { retry?: Partial<Fields['retry']> } {
  const { retry } = asked;
  return {
    runAtMs: big(asked.runAtMs),
    delayMs: big(asked.delayMs),
    deadlineAtMs: big(asked.deadlineAtMs),
    lifetimeMs: big(asked.lifetimeMs),
    retentionMs: big(asked.retentionMs),
    windowMs: big(asked.windowMs),
    priority: asked.priority === undefined ? 0 : (member(Priority, asked.priority) as Priority),
    ...(retry === undefined
      ? {}
      : { retry: { ...retry, baseMs: big(retry.baseMs), maxMs: big(retry.maxMs) } }),
    attemptTimeoutMs: big(asked.attemptTimeoutMs),
    tags: [...asked.tags],
    parentId: asked.parentId ?? '',
    whenDead: asked.whenDead === undefined ? 0 : (member(WhenDead, asked.whenDead) as WhenDead),
  };
}

function itemError(error: ItemError): MessageInitShape<typeof ItemErrorSchema> {
  if (!codes.includes(error.code)) throw new Error(error.code);
  return {
    code: member(Code, error.code.toLowerCase()),
    reason: error.reason,
    message: error.message,
    help: error.help ?? '',
    taskId: error.taskId ?? '',
    retryAfterMs: big(error.retryAfterMs),
    violations: error.violations.map(({ field, description }) => ({ field, description })),
  };
}

export function generatedBatch(batch: SubmitBatch) {
  const items = batch.items.map((item) => ({
    idempotencyKey: item.key,
    spec: fromBinary(SpecSchema, item.spec),
    options: generatedOptions(item.options),
    traceparent: item.traceparent,
  }));
  return create(SubmitTasksRequestSchema, { tenant: batch.tenant, queue: batch.queue, items });
}

export function generatedResult(result: SubmitBatchResult) {
  return create(SubmitTasksResponseSchema, {
    results: result.results.map((one) =>
      one.error === undefined
        ? {
            id: one.id,
            deduplicated: one.deduplicated,
            state: member(TaskState, one.state) as TaskState,
            version: one.version,
          }
        : { error: itemError(one.error) },
    ),
  });
}

export function generatedWorkRequest(request: WorkRequest) {
  switch (request.kind) {
    case 'hello': {
      const { kind, queues, types, ...rest } = request;
      const value = { ...rest, queues: [...queues], types: types.map((type) => ({ ...type })) };
      return create(gen.WorkRequestSchema, { message: { case: kind, value } });
    }
    case 'credit':
      return create(gen.WorkRequestSchema, {
        message: { case: 'credit', value: { tasks: request.tasks, bytes: request.bytes } },
      });
    case 'received':
      return create(gen.WorkRequestSchema, { message: { case: 'received', value: { seq: request.seq } } });
    case 'keepAlive':
      return create(gen.WorkRequestSchema, { message: { case: 'keepAlive', value: {} } });
  }
}

function assignment(task: Assignment): MessageInitShape<typeof gen.AssignmentSchema> {
  return {
    taskId: task.id,
    lease: task.lease as Uint8Array<ArrayBuffer>,
    spec: fromBinary(SpecSchema, task.spec),
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    fencingToken: big(task.token),
    idempotencyKey: task.key,
    queue: task.queue,
    tenant: task.tenant,
    leaseMs: big(task.leaseMs),
    timeoutMs: big(task.timeoutMs),
    deadlineInMs: big(task.deadlineInMs),
    traceparent: task.traceparent,
    parentId: task.parentId,
    tags: [...task.tags],
  };
}

function cause(word: CancelCause): gen.CancelCause {
  return member(gen.CancelCause, word) as gen.CancelCause;
}

export function generatedWorkResponse(response: WorkResponse) {
  const of = (message: MessageInitShape<typeof gen.WorkResponseSchema>['message']) =>
    create(gen.WorkResponseSchema, message === undefined ? {} : { message });
  switch (response.kind) {
    case 'welcome': {
      const { sessionId, node, leaseMs, heartbeatMs } = response;
      const value = { sessionId, node, leaseMs: big(leaseMs), heartbeatMs: big(heartbeatMs) };
      return of({ case: 'welcome', value });
    }
    case 'assignments':
      return of({ case: 'assignments', value: { seq: response.seq, tasks: response.tasks.map(assignment) } });
    case 'cancel': {
      const { id, token } = response;
      return of({
        case: 'cancel',
        value: { taskId: id, fencingToken: big(token), cause: cause(response.cause) },
      });
    }
    default:
      return of({ case: response.kind, value: {} });
  }
}

function settlement(item: Settlement): MessageInitShape<typeof gen.SettlementSchema> {
  return {
    lease: item.lease as Uint8Array<ArrayBuffer>,
    outcome: member(gen.Outcome, item.outcome) as gen.Outcome,
    ...(item.result === undefined ? {} : { result: fromBinary(PayloadSchema, item.result) }),
    message: item.message,
    errorType: item.errorType,
    afterMs: big(item.afterMs),
  };
}

export function generatedReportRequest(request: ReportRequest) {
  const of = (message: NonNullable<MessageInitShape<typeof gen.ReportRequestSchema>['message']>) =>
    create(gen.ReportRequestSchema, { message });
  switch (request.kind) {
    case 'hello': {
      const { sessionId, workerId, tenant } = request;
      return of({ case: 'hello', value: { sessionId, workerId, tenant } });
    }
    case 'settlements':
      return of({
        case: 'settlements',
        value: { batch: request.batch, items: request.items.map(settlement) },
      });
    case 'heartbeats': {
      const items = request.items.map(({ lease, progress }) => ({
        lease: lease as Uint8Array<ArrayBuffer>,
        ...(progress === undefined ? {} : { progress: { ...progress } }),
      }));
      return of({ case: 'heartbeats', value: { batch: request.batch, items } });
    }
    case 'keepAlive':
      return of({ case: 'keepAlive', value: {} });
  }
}

function answer(one: HeartbeatAnswer): MessageInitShape<typeof gen.HeartbeatAnswerSchema> {
  return {
    verdict: member(gen.HeartbeatVerdict, one.verdict) as gen.HeartbeatVerdict,
    ...(one.verdict === 'renewed' ? { leaseMs: big(one.leaseMs) } : {}),
    ...(one.verdict === 'cancel' ? { cause: cause(one.cause) } : {}),
    ...(one.verdict === 'error' ? { error: itemError(one.error) } : {}),
  };
}

export function generatedReportResponse(response: ReportResponse) {
  const of = (message: NonNullable<MessageInitShape<typeof gen.ReportResponseSchema>['message']>) =>
    create(gen.ReportResponseSchema, { message });
  switch (response.kind) {
    case 'settled': {
      const { batch, credited } = response;
      const results = response.results.map((one) =>
        one.error === undefined
          ? { state: member(TaskState, one.state) as TaskState }
          : { error: itemError(one.error) },
      );
      return of({ case: 'settled', value: { batch, results, credited } });
    }
    case 'heartbeats':
      return of({
        case: 'heartbeats',
        value: { batch: response.batch, answers: response.answers.map(answer) },
      });
    default:
      return of({ case: response.kind, value: {} });
  }
}

export function generatedEvent(event: Exclude<TaskEvent, { kind: 'unknown' }>) {
  const at = event as unknown as Readonly<Record<string, number | string | boolean | undefined>>;
  const ms = (name: string): bigint => big(at[name] as number | undefined);
  return create(TaskEventSchema, {
    kind: member(EventKind, event.kind) as EventKind,
    schema: 1,
    atMs: ms('atMs'),
    fencingToken: ms('token'),
    attempt: (at.attempt as number) ?? 0,
    worker: (at.worker as string) ?? '',
    runAtMs: event.kind === 'failed' ? ms('retryAtMs') : ms('runAtMs'),
    deadReason: event.kind === 'died' ? (member(DeadReason, event.reason) as DeadReason) : 0,
    message: (at.message as string) ?? '',
    errorType: (at.errorType as string) ?? '',
    timeoutAtMs: ms('timeoutAtMs'),
    actor: (at.actor as string) ?? '',
    resultBytes: (at.resultBytes as number) ?? 0,
    deadlineAtMs: ms('deadlineAtMs'),
    lifetimeEndAtMs: ms('lifetimeEndAtMs'),
    inLane: at.inLane === true,
    holdsLane: at.holdsLane === true,
    counted: at.counted === true,
  });
}
