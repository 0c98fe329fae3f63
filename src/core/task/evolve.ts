import type { Submitted, TaskEvent } from './event.ts';
import type { Head } from './head.ts';

/** The head of a task of which nothing is known but its first event. */
function born(event: Submitted): Head {
  return {
    state: 'waiting',
    revision: 1,
    version: 1,
    fencingToken: 0,
    attempt: 0,
    releases: 0,
    waitUntilMs: event.runAtMs,
    deadlineAtMs: event.deadlineAtMs,
    lifetimeEndAtMs: event.lifetimeEndAtMs,
    inLane: event.inLane,
    handOver: false,
    holdsLane: false,
    leaseEndAtMs: undefined,
    timeoutAtMs: undefined,
    worker: '',
    cancelRequested: false,
    retrying: false,
    endedAtMs: undefined,
    deadReason: undefined,
    lastError: '',
    progress: undefined,
  };
}

/** Whoever held the lease holds it no longer; the task waits, from now on or until a time. */
function waiting(head: Head, version: number, waitUntilMs: number | undefined): Head {
  return {
    ...head,
    version,
    state: 'waiting',
    waitUntilMs,
    leaseEndAtMs: undefined,
    timeoutAtMs: undefined,
    worker: '',
    retrying: false,
    progress: undefined,
  };
}

function ended(head: Head, version: number, state: 'succeeded' | 'dead' | 'cancelled', atMs: number): Head {
  return {
    ...waiting(head, version, undefined),
    state,
    endedAtMs: atMs,
    handOver: head.inLane,
    holdsLane: false,
    worker: head.worker,
    cancelRequested: head.cancelRequested,
  };
}

function known(head: Head, event: Exclude<TaskEvent, Submitted>, version: number): Head {
  switch (event.kind) {
    case 'claimed':
      return {
        ...head,
        version,
        state: 'running',
        waitUntilMs: undefined,
        fencingToken: event.fencingToken,
        attempt: event.attempt,
        timeoutAtMs: event.timeoutAtMs,
        worker: event.worker,
        retrying: false,
        progress: undefined,
      };
    case 'claimReleased': {
      const releases = head.releases + (event.counted ? 1 : 0);
      return { ...waiting(head, version, undefined), attempt: head.attempt - 1, releases };
    }
    case 'leaseExpired':
      return waiting(head, version, undefined);
    case 'failed':
      return { ...waiting(head, version, event.retryAtMs), retrying: true, lastError: event.message };
    case 'snoozed':
      return { ...waiting(head, version, event.runAtMs), attempt: head.attempt - 1 };
    case 'succeeded':
      return ended(head, version, 'succeeded', event.atMs);
    case 'died': {
      const dead = ended(head, version, 'dead', event.atMs);
      const lastError = event.message === '' ? head.lastError : event.message;
      const handOver = head.inLane && !event.holdsLane;
      return { ...dead, deadReason: event.reason, holdsLane: event.holdsLane, handOver, lastError };
    }
    case 'cancelRequested':
      return { ...head, version, cancelRequested: true };
    case 'cancelled':
      return { ...ended(head, version, 'cancelled', event.atMs), deadReason: undefined };
    case 'redriven':
      return {
        ...waiting(head, version, event.atMs),
        attempt: 0,
        releases: 0,
        deadlineAtMs: undefined,
        lifetimeEndAtMs: event.lifetimeEndAtMs,
        cancelRequested: false,
        // It is redriven only after its lane was handed on, which is no event.
        handOver: false,
        holdsLane: false,
        endedAtMs: undefined,
        deadReason: undefined,
      };
    case 'unknown':
      return { ...head, version };
  }
}

/**
 * The head after an event. Pure and total: every event that was ever written can be folded, kinds that this
 * version does not know only count. `revision` is the store's and stays as it was.
 */
export function evolve(head: Head | undefined, event: TaskEvent): Head {
  if (event.kind === 'submitted') return born(event);
  if (head === undefined)
    throw new RangeError(`the first event of a task is 'submitted', not '${event.kind}'`);
  return known(head, event, head.version + 1);
}

/** The head of a task whose events are these. */
export function fold(events: readonly TaskEvent[]): Head {
  let head: Head | undefined;
  for (const event of events) head = evolve(head, event);
  if (head === undefined) throw new RangeError('a task has at least one event');
  return head;
}
