/** Checks the histories of tasks after all of them have ended. */
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { type Head, isEnded } from '../../../src/core/task/head.ts';

/** A task as it is stored after the recovery from a crash point. */
export interface FinalTask {
  readonly key: string;
  readonly head: Head;
  readonly events: readonly TaskEvent[];
}

const ends = new Set(['succeeded', 'died', 'cancelled']);

interface LeaseHistory {
  holder: number | undefined;
  ended: boolean;
  lastFencingToken: number;
}

function addEvent(history: LeaseHistory, event: TaskEvent): string | undefined {
  switch (event.kind) {
    case 'submitted':
    case 'unknown':
      return undefined;
    case 'claimed': {
      const { holder, ended, lastFencingToken } = history;
      Object.assign(history, { holder: event.fencingToken, lastFencingToken: event.fencingToken });
      if (holder !== undefined) return 'was claimed while another lease was held';
      if (ended) return 'was claimed after its end';
      return event.fencingToken > lastFencingToken
        ? undefined
        : 'was claimed with a fencing token that did not rise';
    }
    case 'redriven': {
      const { ended } = history;
      history.ended = false;
      return ended ? undefined : 'was redriven before its end';
    }
    case 'cancelRequested':
    case 'laneReleased':
      return undefined;
    default: {
      const { holder, ended } = history;
      history.holder = undefined;
      if (ends.has(event.kind)) history.ended = true;
      if (ended) return `has '${event.kind}' after its end`;
      return event.fencingToken === holder ? undefined : `has '${event.kind}' of a lease that was not held`;
    }
  }
}

/** Returns the problems of one task's history, and the fields in which its head differs from its folded events. */
export function lifeProblems({ key, head, events }: FinalTask): string[] {
  const history: LeaseHistory = { holder: undefined, ended: false, lastFencingToken: 0 };
  const problems = events.map((event) => addEvent(history, event)).filter((one) => one !== undefined);
  if (!history.ended || !isEnded(head)) problems.push(`is stuck: ${head.state}`);
  const { state, version, attempt, fencingToken } = fold(events);
  const folded = { state, version, attempt, fencingToken };
  for (const [name, value] of Object.entries(folded)) {
    const stored = head[name as keyof typeof folded];
    if (stored !== value) problems.push(`has ${name} ${stored}, its events make it ${value}`);
  }
  return problems.map((problem) => `${key} ${problem}`);
}

const timeOf = ({ events }: FinalTask, of: (event: TaskEvent) => boolean): number | undefined =>
  events.find(of)?.atMs;

/**
 * Returns the tasks of a lane that began before the previous task had ended. The tasks are in the order of the lane.
 */
export function laneProblems(inOrder: readonly FinalTask[]): string[] {
  const problems: string[] = [];
  for (const [i, next] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before === undefined) continue;
    const endMs = timeOf(before, ({ kind }) => ends.has(kind)) ?? Number.POSITIVE_INFINITY;
    const beginMs = timeOf(next, ({ kind }) => kind === 'claimed') ?? Number.POSITIVE_INFINITY;
    if (beginMs < endMs) problems.push(`${next.key} began before ${before.key} had ended`);
  }
  return problems;
}
