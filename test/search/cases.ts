import { noOptions } from '../../src/core/codec/options.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import type { Actor, Case } from './case.ts';
import { type Outcome, operator, submitter, sweeper, worker } from './scripts.ts';

const lane = 'lane';
const twice: Partial<OptionsRequest> = { retry: { ...noOptions.retry, maxAttempts: 2 } };

/** A client that sends again where it was not answered. */
function client(key: string, options: Partial<OptionsRequest> = {}, orderingKey?: string): Actor {
  return { name: key, script: submitter({ key, options, lane: orderingKey }), times: 2 };
}

/** Workers with one slot each. */
function workers(count: number, ...outcomes: readonly Outcome[]): Actor[] {
  const script = worker(1, outcomes);
  return Array.from({ length: count }, (_, i) => ({ name: `worker ${i + 1}`, script }));
}

function sweeps(count: number): Actor[] {
  return Array.from({ length: count }, (_, i) => ({ name: `sweep ${i + 1}`, script: sweeper }));
}

function someone(deed: 'cancel' | 'redrive', key: string): Actor {
  return { name: deed, script: operator(deed, key), times: 1 };
}

/** Both were accepted and the first rung. */
function lined(options: Partial<OptionsRequest> = {}): Case['before'] {
  return [{ script: client('a', options, lane).script }, { script: client('b', {}, lane).script }];
}

const undisturbed = {
  before: [],
  crashes: 0,
  misrings: 0,
  fates: ['doubled', 'lost', 'failed'],
  horizonMs: 0,
} as const;

export const cases = {
  'a task whose bell may be lost or doubled and whose lease may be spent': {
    ...undisturbed,
    actors: [client('a', twice), ...workers(2, 'succeed'), ...sweeps(1)],
    crashes: 1,
    misrings: 1,
    horizonMs: 40_000,
  },
  'a task whose lease may be renewed when it is nearly spent': {
    ...undisturbed,
    actors: [client('a', twice), ...workers(2, 'succeed', 'beat')],
    crashes: 1,
    horizonMs: 40_000,
  },
  'a task that fails and comes again': {
    ...undisturbed,
    actors: [client('a', twice), ...workers(2, 'succeed', 'fail'), ...sweeps(2)],
    crashes: 1,
    misrings: 1,
    horizonMs: 1_500,
  },
  'a delayed task, two sweeps, and a worker whose clock is slow': {
    ...undisturbed,
    actors: [
      client('a', { delayMs: 1_000 }),
      { ...(workers(1, 'succeed')[0] as Actor), slowMs: 1_000 },
      ...workers(1, 'succeed'),
      ...sweeps(2),
    ],
    crashes: 1,
    misrings: 1,
    horizonMs: 3_000,
  },
  'a task that somebody cancels': {
    ...undisturbed,
    actors: [client('a'), ...workers(2, 'succeed', 'fail'), ...sweeps(1), someone('cancel', 'a')],
    crashes: 1,
    misrings: 1,
    horizonMs: 1_000,
  },
  'a dead task that somebody drives again': {
    ...undisturbed,
    actors: [client('a'), ...workers(2, 'die', 'succeed'), ...sweeps(1), someone('redrive', 'a')],
    crashes: 1,
    horizonMs: 1_000,
  },
  'a lane of two while it is submitted': {
    ...undisturbed,
    actors: [
      client('a', {}, lane),
      { ...client('b', {}, lane), after: 'a' },
      ...workers(1, 'succeed'),
      ...sweeps(1),
    ],
    crashes: 1,
  },
  'a lane of two that is submitted at once': {
    ...undisturbed,
    actors: [client('a', {}, lane), client('b', {}, lane), ...workers(1, 'succeed'), ...sweeps(1)],
  },
  'a lane of two between two workers and a sweep': {
    ...undisturbed,
    before: lined(),
    actors: [...workers(2, 'succeed'), ...sweeps(1)],
    crashes: 1,
  },
  'a lane of two whose first is delayed': {
    ...undisturbed,
    before: lined({ delayMs: 1_000 }),
    actors: [...workers(2, 'succeed'), ...sweeps(1)],
    horizonMs: 1_000,
  },
  'a lane of two whose first is cancelled': {
    ...undisturbed,
    before: lined(),
    actors: [...workers(1, 'succeed'), ...sweeps(1), someone('cancel', 'a')],
    crashes: 1,
  },
  'a lane of two whose first died, between two sweeps and a redrive': {
    ...undisturbed,
    before: [...lined(), { script: worker(1, ['die']), until: 'died' }],
    actors: [
      ...sweeps(2),
      someone('redrive', 'a'),
      // Only once nothing goes wrong any more, so that it does not stand in the way.
      ...workers(1, 'succeed').map((one) => ({ ...one, times: 0, tireless: true })),
    ],
    crashes: 1,
  },
  'a lane of two whose first died, was driven again, and has an old bell': {
    ...undisturbed,
    before: [
      { script: client('a', {}, lane).script, sends: 'doubled' },
      { script: worker(1, ['die']) },
      { script: client('b', {}, lane).script },
    ],
    actors: [...workers(2, 'succeed'), someone('redrive', 'a')],
  },
} as const satisfies Readonly<Record<string, Case>>;

export type CaseName = keyof typeof cases;
