import type { SubmittedEvent, TaskEvent } from './event.ts';
import type { Head } from './head.ts';

/** Returns a task's head after its first event. */
function firstHead(event: SubmittedEvent): Head {
  return {
    state: 'waiting',
    revision: 1,
    version: 1,
    lastEventAtMs: event.atMs,
    fencingToken: 0,
    leaseSecret: '',
    attempt: 0,
    releases: 0,
    losses: 0,
    waitUntilMs: event.runAtMs,
    deadlineAtMs: event.deadlineAtMs,
    lifetimeEndAtMs: event.lifetimeEndAtMs,
    inLane: event.inLane,
    handOver: false,
    holdsLane: false,
    leaseEndAtMs: undefined,
    timeoutAtMs: undefined,
    begun: false,
    worker: '',
    cancelRequested: false,
    retrying: false,
    endedAtMs: undefined,
    deadReason: undefined,
    lastError: '',
    progress: undefined,
  };
}

/** Returns the head of a waiting task, without a lease. The task is ready, or scheduled if `waitUntilMs` is given. */
function waiting(head: Head, version: number, waitUntilMs: number | undefined): Head {
  return {
    ...head,
    version,
    state: 'waiting',
    waitUntilMs,
    leaseEndAtMs: undefined,
    timeoutAtMs: undefined,
    begun: false,
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

function foldKnown(head: Head, event: Exclude<TaskEvent, SubmittedEvent>, version: number): Head {
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
        begun: event.begins,
        worker: event.worker,
        retrying: false,
        progress: undefined,
      };
    case 'claimReleased': {
      const releases = head.releases + (event.countsAsRelease ? 1 : 0);
      return { ...waiting(head, version, event.retryAtMs), attempt: head.attempt - 1, releases };
    }
    case 'leaseExpired': {
      // An older version used the attempt at each expiry and counted no losses.
      if (event.begun === undefined) return waiting(head, version, undefined);
      const losses = head.losses + (event.countsAsLoss ? 1 : 0);
      return { ...waiting(head, version, event.retryAtMs), attempt: head.attempt - 1, losses };
    }
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
        losses: 0,
        deadlineAtMs: undefined,
        lifetimeEndAtMs: event.lifetimeEndAtMs,
        cancelRequested: false,
        // A redrive comes after the next task of the lane was dispatched (the hand-over). The hand-over has
        // no event, so a replay of the events clears `handOver` here.
        handOver: false,
        holdsLane: false,
        endedAtMs: undefined,
        deadReason: undefined,
      };
    case 'laneReleased':
      return { ...head, version, holdsLane: false, handOver: head.inLane };
    case 'unknown':
      return { ...head, version };
  }
}

/**
 * Returns the head after an event. It is a pure function that accepts every event ever written: an event of an unknown
 * kind only raises `version` and `lastEventAtMs`. `revision` stays unchanged, because only the store counts writes.
 */
export function evolve(head: Head | undefined, event: TaskEvent): Head {
  if (event.kind === 'submitted') return firstHead(event);
  if (head === undefined)
    throw new RangeError(`the first event of a task is 'submitted', not '${event.kind}'`);
  return foldKnown({ ...head, lastEventAtMs: event.atMs }, event, head.version + 1);
}

/** Returns the head of a task with these events. */
export function fold(events: readonly TaskEvent[]): Head {
  let head: Head | undefined;
  for (const event of events) head = evolve(head, event);
  if (head === undefined) throw new RangeError('a task has at least one event');
  return head;
}
