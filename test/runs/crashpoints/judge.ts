/** What must hold of tasks once everything came to rest. */
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { type Head, isEnded } from '../../../src/core/task/head.ts';

/** A task as found at the end. */
export interface Found {
  readonly key: string;
  readonly head: Head;
  readonly events: readonly TaskEvent[];
}

const ends = new Set(['succeeded', 'died', 'cancelled']);

interface Life {
  holder: number | undefined;
  ended: boolean;
  lastFencingToken: number;
}

function step(life: Life, event: TaskEvent): string | undefined {
  switch (event.kind) {
    case 'submitted':
    case 'unknown':
      return undefined;
    case 'claimed': {
      const { holder, ended, lastFencingToken } = life;
      Object.assign(life, { holder: event.fencingToken, lastFencingToken: event.fencingToken });
      if (holder !== undefined) return 'was claimed under a lease that stood';
      if (ended) return 'was claimed after its end';
      return event.fencingToken > lastFencingToken ? undefined : 'was claimed with a token that did not rise';
    }
    case 'redriven': {
      const { ended } = life;
      life.ended = false;
      return ended ? undefined : 'was redriven before its end';
    }
    case 'cancelRequested':
      return undefined;
    default: {
      const { holder, ended } = life;
      life.holder = undefined;
      if (ends.has(event.kind)) life.ended = true;
      if (ended) return `has '${event.kind}' after its end`;
      return event.fencingToken === holder ? undefined : `has '${event.kind}' of a lease that did not stand`;
    }
  }
}

/** What is wrong with one task's history, and whether its head is what its events make. */
export function lifeProblems({ key, head, events }: Found): string[] {
  const life: Life = { holder: undefined, ended: false, lastFencingToken: 0 };
  const problems = events.map((event) => step(life, event)).filter((one) => one !== undefined);
  if (!life.ended || !isEnded(head)) problems.push(`is stuck: ${head.state}`);
  const { state, version, attempt, fencingToken } = fold(events);
  const folded = { state, version, attempt, fencingToken };
  for (const [name, value] of Object.entries(folded)) {
    const stored = head[name as keyof typeof folded];
    if (stored !== value) problems.push(`has ${name} ${stored}, its events make it ${value}`);
  }
  return problems.map((problem) => `${key} ${problem}`);
}

const timeOf = ({ events }: Found, of: (event: TaskEvent) => boolean): number | undefined =>
  events.find(of)?.atMs;

/** In the order in which the lane must start them: each begins after the one before has ended. */
export function laneProblems(inOrder: readonly Found[]): string[] {
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
