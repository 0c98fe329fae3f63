import { noOptions } from '../../src/core/codec/options.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import type { Actor, SearchCase } from './case.ts';
import { type HandlerOutcome, operator, submitter, sweeper, worker } from './scripts.ts';

const lane = 'lane';
const once: Partial<OptionsRequest> = { retry: { ...noOptions.retry, maxAttempts: 1 } };
const twice: Partial<OptionsRequest> = { retry: { ...noOptions.retry, maxAttempts: 2 } };

/** A client that submits a second time if its first submission was not answered. */
function client(key: string, options: Partial<OptionsRequest> = {}, orderingKey?: string): Actor {
  return { name: key, script: submitter({ key, options, lane: orderingKey }), times: 2 };
}

/** Returns workers with one slot each, whose handlers may have any of the given outcomes. */
function workers(count: number, ...outcomes: readonly HandlerOutcome[]): Actor[] {
  const script = worker(1, outcomes);
  return Array.from({ length: count }, (_, i) => ({ name: `worker ${i + 1}`, script }));
}

function sweeps(count: number): Actor[] {
  return Array.from({ length: count }, (_, i) => ({ name: `sweep ${i + 1}`, script: sweeper }));
}

function operatorOnce(action: 'cancel' | 'redrive', key: string): Actor {
  return { name: action, script: operator(action, key), times: 1 };
}

/** Returns the setup that submits two tasks of one lane and sends the dispatch message of the first task. */
function laneOfTwo(options: Partial<OptionsRequest> = {}): SearchCase['before'] {
  return [{ script: client('a', options, lane).script }, { script: client('b', {}, lane).script }];
}

const withoutFaults = {
  before: [],
  crashes: 0,
  sendFaults: 0,
  faultOutcomes: ['doubled', 'lost', 'failed'],
  horizonMs: 0,
} as const;

export const cases = {
  'a task whose dispatch message may be lost or doubled and whose lease may expire': {
    ...withoutFaults,
    actors: [client('a', twice), ...workers(2, 'succeed'), ...sweeps(1)],
    crashes: 1,
    sendFaults: 1,
    horizonMs: 40_000,
  },
  'a task that may be tried once and whose lease may expire': {
    ...withoutFaults,
    actors: [client('a', once), ...workers(2, 'succeed'), ...sweeps(1)],
    crashes: 1,
    sendFaults: 1,
    horizonMs: 40_000,
  },
  'a task whose lease may be renewed shortly before it expires': {
    ...withoutFaults,
    actors: [client('a', twice), ...workers(2, 'succeed', 'heartbeat')],
    crashes: 1,
    horizonMs: 40_000,
  },
  'a task that fails and is retried': {
    ...withoutFaults,
    actors: [client('a', twice), ...workers(2, 'succeed', 'fail'), ...sweeps(2)],
    crashes: 1,
    sendFaults: 1,
    horizonMs: 1_500,
  },
  'a delayed task with two sweeps and a worker whose clock is slow': {
    ...withoutFaults,
    actors: [
      client('a', { delayMs: 1_000 }),
      { ...(workers(1, 'succeed')[0] as Actor), slowMs: 1_000 },
      ...workers(1, 'succeed'),
      ...sweeps(2),
    ],
    crashes: 1,
    sendFaults: 1,
    horizonMs: 3_000,
  },
  'a task that an operator cancels': {
    ...withoutFaults,
    actors: [client('a'), ...workers(2, 'succeed', 'fail'), ...sweeps(1), operatorOnce('cancel', 'a')],
    crashes: 1,
    sendFaults: 1,
    horizonMs: 1_000,
  },
  'a dead task that an operator redrives': {
    ...withoutFaults,
    actors: [client('a'), ...workers(2, 'die', 'succeed'), ...sweeps(1), operatorOnce('redrive', 'a')],
    crashes: 1,
    horizonMs: 1_000,
  },
  'a lane of two tasks that are submitted one after the other': {
    ...withoutFaults,
    actors: [
      client('a', {}, lane),
      { ...client('b', {}, lane), after: 'a' },
      ...workers(1, 'succeed'),
      ...sweeps(1),
    ],
    crashes: 1,
  },
  'a lane of two tasks that are submitted at once': {
    ...withoutFaults,
    actors: [client('a', {}, lane), client('b', {}, lane), ...workers(1, 'succeed'), ...sweeps(1)],
  },
  'a lane of two tasks with two workers and a sweep': {
    ...withoutFaults,
    before: laneOfTwo(),
    actors: [...workers(2, 'succeed'), ...sweeps(1)],
    crashes: 1,
  },
  'a lane of two tasks whose first is delayed': {
    ...withoutFaults,
    before: laneOfTwo({ delayMs: 1_000 }),
    actors: [...workers(2, 'succeed'), ...sweeps(1)],
    horizonMs: 1_000,
  },
  'a lane of two tasks whose first is cancelled': {
    ...withoutFaults,
    before: laneOfTwo(),
    actors: [...workers(1, 'succeed'), ...sweeps(1), operatorOnce('cancel', 'a')],
    crashes: 1,
  },
  'a lane of two tasks whose first died, with two sweeps and a redrive': {
    ...withoutFaults,
    before: [...laneOfTwo(), { script: worker(1, ['die']), until: 'died' }],
    actors: [
      ...sweeps(2),
      operatorOnce('redrive', 'a'),
      // This worker starts only while `Fairness` checks that all tasks end, so that it adds no states to the search.
      ...workers(1, 'succeed').map((one) => ({ ...one, times: 0, unlimitedWhenFair: true })),
    ],
    crashes: 1,
  },
  'a lane of two tasks whose first died, was redriven, and has an old dispatch message': {
    ...withoutFaults,
    before: [
      { script: client('a', {}, lane).script, sendOutcome: 'doubled' },
      { script: worker(1, ['die']) },
      { script: client('b', {}, lane).script },
    ],
    actors: [...workers(2, 'succeed'), operatorOnce('redrive', 'a')],
  },
} as const satisfies Readonly<Record<string, SearchCase>>;

export type CaseName = keyof typeof cases;
