import { type HandledType, handlesType } from '../handled-type.ts';
import { runsAlone } from '../task/head.ts';
import type { ExplainedTask, ExplainFacts, WorkerFact } from './facts.ts';
import { lastWorkerOf, newestOf } from './last-event.ts';
import type { Verdict } from './verdict.ts';
import { asEnd, fullStoreText, lengthOf } from './words.ts';

/** The time in ms for which a due task counts as on its way to workers: a sweep, and the delay of a slow store. */
const onItsWayMs = 5_000;

/** Returns why a task that no worker holds has not completed. */
export function explainWaiting(task: ExplainedTask, facts: ExplainFacts): Verdict {
  const { waitUntilMs } = task.head;
  if (waitUntilMs !== undefined && waitUntilMs > facts.nowMs) return notDue(task, facts, waitUntilMs);
  return (
    fullStore(facts) ??
    pausedQueue(task, facts) ??
    laneAhead(task, facts) ??
    missingWorker(task, facts) ??
    throttledStore(facts) ??
    lostMessage(task, facts) ??
    busyWorkers(task, facts) ??
    starting(task, facts)
  );
}

function notDue(task: ExplainedTask, { nowMs }: ExplainFacts, untilMs: number): Verdict {
  const { head, submission, tip } = task;
  const event = tip.at(-1);
  const wait = lengthOf(untilMs - nowMs);
  const sinceMs = event?.atMs ?? submission.acceptedAtMs;
  const { attempt, lastError, losses } = head;
  const worker = lastWorkerOf(task);
  if (event?.kind === 'snoozed') {
    const sentence = `Its handler postponed it; it runs again in ${wait}.`;
    return { code: 'SNOOZED', sentence, sinceMs, untilMs, evidence: { worker }, next: '' };
  }
  if (event?.kind === 'failed' || head.retrying) {
    const { maxAttempts } = submission.options.retry;
    const sentence = `Attempt ${attempt} of ${maxAttempts} failed: ${asEnd(lastError)} Attempt ${attempt + 1} begins in ${wait}.`;
    const evidence = { attempt, maxAttempts, error: lastError, worker };
    return { code: 'BACKOFF', sentence, sinceMs, untilMs, evidence, next: '' };
  }
  if (event?.kind === 'leaseExpired' || event?.kind === 'claimReleased') {
    const happened =
      event.kind === 'leaseExpired' ? `The process of its worker ended` : 'Its worker gave it back';
    const sentence = `${happened}; it runs again in ${wait}.`;
    return {
      code: 'BACKOFF',
      sentence,
      sinceMs,
      untilMs,
      evidence: { attempt, losses, worker },
      next: '',
    };
  }
  return {
    code: 'NOT_DUE',
    sentence: `It is scheduled to run in ${wait}.`,
    sinceMs,
    untilMs,
    evidence: {},
    next: '',
  };
}

function fullStore({ fullStore: full }: ExplainFacts): Verdict | undefined {
  if (full === undefined) return undefined;
  const { sinceMs, neededBytes } = full;
  const sentence = `${fullStoreText(neededBytes)}.`;
  return { code: 'STORE_FULL', sentence, sinceMs, evidence: { neededBytes }, next: '' };
}

function pausedQueue({ submission }: ExplainedTask, facts: ExplainFacts): Verdict | undefined {
  if (!facts.isQueuePaused) return undefined;
  const { queue } = submission.scope;
  const { pause, nowMs } = facts;
  const by = pause === undefined ? '' : ` by ${pause.actor} for ${lengthOf(nowMs - pause.sinceMs)}`;
  const is = pause === undefined ? 'is paused' : 'has been paused';
  const why = pause?.reason === undefined ? '' : ` (${pause.reason})`;
  const sentence = `Its queue '${queue}' ${is}${by}${why}: no task of it begins until it is resumed.`;
  const evidence = {
    queue,
    ...(pause && { actor: pause.actor }),
    ...(why && { reason: pause?.reason ?? '' }),
  };
  const next = `holdfast queues resume ${queue}`;
  const { sinceMs, untilMs } = pause ?? {};
  return { code: 'QUEUE_PAUSED', sentence, sinceMs, untilMs, evidence, next };
}

function laneAhead(
  { id, submission }: ExplainedTask,
  { laneFront: front }: ExplainFacts,
): Verdict | undefined {
  if (front === undefined || front.id === id) return undefined;
  const evidence = { blockedByTaskId: front.id, orderingKey: submission.orderingKey ?? '' };
  if (front.head.state === 'dead') {
    const sentence = `Task ${front.id} of its ordering key is dead, and its queue holds the later tasks until that one is redriven or cancelled.`;
    const sinceMs = front.head.endedAtMs;
    return { code: 'LANE_HELD_BY_DEAD', sentence, sinceMs, evidence, next: `holdfast redrive ${front.id}` };
  }
  const sentence = `It runs after task ${front.id}, which has the same ordering key and has not ended.`;
  return { code: 'LANE_WAITS', sentence, evidence, next: `holdfast why ${front.id}` };
}

function missingWorker(task: ExplainedTask, facts: ExplainFacts): Verdict | undefined {
  const { workers, areWorkersComplete } = facts;
  const { type, typeVersion, scope } = task.submission;
  const { queue } = scope;
  const sinceMs = readySinceMs(task);
  if (!areWorkersComplete || workers.some(({ types }) => handlesType(types, type, typeVersion)))
    return undefined;
  const next = `holdfast workers --queue ${queue}`;
  if (workers.length === 0) {
    const sentence = `No worker takes tasks of the queue '${queue}'.`;
    return { code: 'NO_WORKER', sentence, sinceMs, evidence: { queue }, next };
  }
  const versions = workers.flatMap(({ types }) => versionsOf(types, type));
  if (versions.length === 0) {
    const sentence = `None of the workers of the queue '${queue}' handles the type '${type}'.`;
    return {
      code: 'NO_WORKER_FOR_TYPE',
      sentence,
      sinceMs,
      evidence: { queue, type, workers: countOf(workers) },
      next: `holdfast worker <module with a handler of '${type}'>`,
    };
  }
  const newest = Math.max(...versions);
  const sentence = `The workers of the queue '${queue}' handle the type '${type}' up to version ${newest}; the task has version ${typeVersion}.`;
  const evidence = { queue, type, typeVersion, newestHandled: newest };
  return { code: 'NO_WORKER_FOR_VERSION', sentence, sinceMs, evidence, next };
}

function countOf(workers: readonly WorkerFact[]): number {
  return workers.reduce((sum, { count }) => sum + count, 0);
}

function versionsOf(types: readonly HandledType[], type: string): number[] {
  return types.filter((handled) => handled.type === type).map(({ maxVersion }) => maxVersion);
}

function throttledStore({ throttle, nowMs }: ExplainFacts): Verdict | undefined {
  if (throttle === undefined) return undefined;
  const { dependency, sinceMs, retryAtMs } = throttle;
  const again = retryAtMs === undefined ? '' : `; it is tried again in ${lengthOf(retryAtMs - nowMs)}`;
  const sentence = `${dependency} refuses or fails the calls of the servers${again}.`;
  return {
    code: 'STORE_THROTTLED',
    sentence,
    sinceMs,
    untilMs: retryAtMs,
    evidence: { dependency },
    next: '',
  };
}

function lostMessage(
  { head, submission }: ExplainedTask,
  { nowMs, message }: ExplainFacts,
): Verdict | undefined {
  const dueMs = head.waitUntilMs;
  const isLate = dueMs !== undefined && nowMs - dueMs > onItsWayMs;
  if (message?.isLost !== true && !isLate) return undefined;
  const sinceMs = dueMs ?? head.lastEventAtMs;
  if (message?.isLost === false) {
    // The messages of an embedded store are never lost: its sweep is behind.
    const sentence = `It has been due for ${lengthOf(nowMs - sinceMs)}, and the server has not made it ready yet.`;
    return { code: 'MESSAGE_LOST', sentence, sinceMs, evidence: {}, next: '' };
  }
  const untilMs = message?.resentAtMs;
  const again =
    untilMs === undefined
      ? 'a server sends it again within minutes'
      : `it is sent again in ${lengthOf(untilMs - nowMs)}`;
  const sentence = `No message makes a worker look at it; ${again}.`;
  return {
    code: 'MESSAGE_LOST',
    sentence,
    sinceMs,
    untilMs,
    evidence: {},
    next: `holdfast queues redispatch ${submission.scope.queue}`,
  };
}

function busyWorkers(task: ExplainedTask, facts: ExplainFacts): Verdict | undefined {
  const { type, typeVersion, scope } = task.submission;
  const able = facts.workers.filter(({ types }) => handlesType(types, type, typeVersion));
  const { losses } = task.head;
  if (runsAlone(task.head)) {
    const sentence = `It has lost ${losses} workers, so it waits for a worker in whose process nothing else runs.`;
    return {
      code: 'RUNS_ALONE',
      sentence,
      sinceMs: readySinceMs(task),
      evidence: { losses, workers: countOf(able) },
      next: `holdfast workers --queue ${scope.queue}`,
    };
  }
  if (able.length === 0 || able.some(({ hasRoom }) => hasRoom !== false)) return undefined;
  const ageMs = Math.max(-1, ...able.map(({ roomAgeMs = -1 }) => roomAgeMs));
  const as = ageMs < 0 ? '' : `, as their servers announced it up to ${lengthOf(ageMs)} ago`;
  const sentence = `Every worker that handles the type '${type}' is full (${countOf(able)} of them)${as}.`;
  return {
    code: 'WORKERS_FULL',
    sentence,
    sinceMs: readySinceMs(task),
    evidence: { type, workers: countOf(able), ...(ageMs >= 0 && { roomAgeMs: ageMs }) },
    next: `holdfast workers --queue ${scope.queue}`,
  };
}

function starting(task: ExplainedTask, { nowMs }: ExplainFacts): Verdict {
  const sinceMs = readySinceMs(task);
  const sentence = `It has been ready for ${lengthOf(nowMs - sinceMs)}, and the next worker with room takes it.`;
  return {
    code: 'STARTING',
    sentence,
    sinceMs,
    evidence: {},
    next: `holdfast workers --queue ${task.submission.scope.queue}`,
  };
}

/** Returns since when a task has been ready, as its newest events show it. */
function readySinceMs(task: ExplainedTask): number {
  const { head, submission } = task;
  const retried = newestOf(task, 'failed')?.retryAtMs ?? 0;
  return Math.max(head.lastEventAtMs, submission.submitted.runAtMs ?? 0, head.waitUntilMs ?? 0, retried);
}
