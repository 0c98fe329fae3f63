import {
  DeadReason,
  EventKind,
  type Task,
  type TaskEvent,
  TaskState,
} from '../rpc/gen/holdfast/v1/task_pb.ts';
import { labelled, time } from './output.ts';
import { visible } from './visible.ts';

function nameIn(values: Record<string, string | number>, value: number): string {
  const found = Object.entries(values).find(([, number]) => number === value);
  return found === undefined ? `#${value}` : found[0].toLowerCase().replaceAll('_', ' ');
}

export function stateName(state: TaskState): string {
  return nameIn(TaskState, state);
}

/** A JSON payload as its value, anything else as base64. */
function payloadValue(payload: { contentType: string; bytes: Uint8Array } | undefined): unknown {
  if (payload === undefined || payload.bytes.length === 0) return undefined;
  const text = Buffer.from(payload.bytes).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return { base64: Buffer.from(payload.bytes).toString('base64') };
  }
}

export function taskJson(task: Task): Record<string, unknown> {
  return {
    id: task.id,
    tenant: task.tenant,
    queue: task.queue,
    key: task.idempotencyKey,
    state: stateName(task.state),
    type: task.spec?.type,
    typeVersion: task.spec?.typeVersion,
    orderingKey: task.spec?.orderingKey || undefined,
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    version: task.version,
    acceptedAtMs: task.acceptedAtMs,
    runAtMs: task.runAtMs || undefined,
    endedAtMs: task.endedAtMs || undefined,
    expiresAtMs: task.expiresAtMs,
    leaseEndAtMs: task.leaseEndAtMs || undefined,
    fencingToken: task.fencingToken || undefined,
    worker: task.worker || undefined,
    lastError: task.lastError || undefined,
    deadReason: task.deadReason === DeadReason.UNSPECIFIED ? undefined : nameIn(DeadReason, task.deadReason),
    waitingFor: task.waitingFor || undefined,
    progress: task.progress && { fraction: task.progress.fraction, note: task.progress.note },
    payload: payloadValue(task.spec?.payload),
    result: payloadValue(task.result),
    traceparent: task.traceparent || undefined,
  };
}

export function taskText(task: Task): string {
  return Object.entries(taskJson(task))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => labelled(name, value))
    .join('\n');
}

export function eventLine(event: TaskEvent, index: number): string {
  const told = [
    event.attempt > 0 ? `attempt ${event.attempt}` : '',
    event.worker === '' ? '' : `by ${event.worker}`,
    event.fencingToken === 0n ? '' : `token ${event.fencingToken}`,
    event.runAtMs === 0n ? '' : `not before ${time(event.runAtMs)}`,
    event.deadReason === DeadReason.UNSPECIFIED ? '' : nameIn(DeadReason, event.deadReason),
    event.errorType,
    event.message,
    event.actor === '' ? '' : `asked by ${event.actor}`,
  ];
  const kind = nameIn(EventKind, event.kind).padEnd(16);
  const words = visible(told.filter((part) => part !== '').join(', '));
  return `${String(index + 1).padStart(4)}  ${time(event.atMs)}  ${kind} ${words}`.trimEnd();
}
