import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../src/core/task/event.ts';
import { type CaseName, cases } from './cases.ts';
import { explore } from './explore.ts';

/**
 * The number of states that each search case must at least have (about half of its states), and the kinds of event that
 * it must contain: no case may become empty.
 */
const sizes: Readonly<Record<CaseName, readonly [states: number, ...kinds: TaskEvent['kind'][]]>> = {
  'a task whose dispatch message may be lost or doubled and whose lease may expire': [
    1_700,
    'leaseExpired',
    'succeeded',
  ],
  'a task that may be tried once and whose lease may expire': [200, 'leaseExpired', 'died', 'succeeded'],
  'a task whose lease may be renewed shortly before it expires': [5_000, 'leaseExpired', 'succeeded'],
  'a task that fails and is retried': [6_000, 'failed', 'died', 'succeeded'],
  'a delayed task with two sweeps and a worker whose clock is slow': [29_000, 'succeeded'],
  'a task that an operator cancels': [34_000, 'cancelRequested', 'cancelled', 'failed', 'succeeded'],
  'a dead task that an operator redrives': [4_300, 'died', 'redriven', 'succeeded'],
  'a lane of two tasks that are submitted one after the other': [32_000, 'succeeded'],
  'a lane of two tasks that are submitted at once': [9_000, 'succeeded'],
  'a lane of two tasks with two workers and a sweep': [50_000, 'succeeded'],
  'a lane of two tasks whose first is delayed': [27_000, 'succeeded'],
  'a lane of two tasks whose first is cancelled': [37_000, 'cancelRequested', 'cancelled', 'succeeded'],
  'a lane of two tasks whose first died, with two sweeps and a redrive': [
    450,
    'died',
    'redriven',
    'succeeded',
  ],
  'a lane of two tasks whose first died, was redriven, and has an old dispatch message': [
    8_000,
    'redriven',
    'succeeded',
  ],
};

describe('no reachable state', () => {
  it.each(Object.keys(cases) as CaseName[])(
    'of %s breaks a rule or leaves a task unfinished',
    { timeout: 60_000 },
    async (name) => {
      const [least, ...kinds] = sizes[name];
      const { broken, states, atRest, ...found } = await explore(cases[name]);
      expect(broken && { rule: broken.violation.message, steps: broken.steps }).toBeUndefined();
      expect(states).toBeGreaterThan(least);
      expect(atRest).toBeGreaterThan(10);
      expect(found.kinds).toEqual(expect.arrayContaining(kinds));
    },
  );
});
