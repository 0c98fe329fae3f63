import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../src/core/task/event.ts';
import { type CaseName, cases } from './cases.ts';
import { explore } from './explore.ts';

/** So that no case becomes empty in silence: about half of the places that it has, and events that it is about. */
const sizes: Readonly<Record<CaseName, readonly [places: number, ...kinds: TaskEvent['kind'][]]>> = {
  'a task whose bell may be lost or doubled and whose lease may be spent': [1_700, 'leaseExpired', 'died'],
  'a task whose lease may be renewed when it is nearly spent': [5_000, 'leaseExpired', 'succeeded'],
  'a task that fails and comes again': [6_000, 'failed', 'died', 'succeeded'],
  'a delayed task, two sweeps, and a worker whose clock is slow': [29_000, 'succeeded'],
  'a task that somebody cancels': [34_000, 'cancelRequested', 'cancelled', 'failed', 'succeeded'],
  'a dead task that somebody drives again': [4_300, 'died', 'redriven', 'succeeded'],
  'a lane of two while it is submitted': [32_000, 'succeeded'],
  'a lane of two that is submitted at once': [9_000, 'succeeded'],
  'a lane of two between two workers and a sweep': [50_000, 'succeeded'],
  'a lane of two whose first is delayed': [27_000, 'succeeded'],
  'a lane of two whose first is cancelled': [37_000, 'cancelRequested', 'cancelled', 'succeeded'],
  'a lane of two whose first died, between two sweeps and a redrive': [450, 'died', 'redriven', 'succeeded'],
  'a lane of two whose first died, was driven again, and has an old bell': [8_000, 'redriven', 'succeeded'],
};

describe('nothing that can happen breaks a rule or strands a task', () => {
  it.each(Object.keys(cases) as CaseName[])('in %s', { timeout: 60_000 }, async (name) => {
    const [least, ...kinds] = sizes[name];
    const { broken, places, atRest, ...found } = await explore(cases[name]);
    expect(broken && { rule: broken.violation.message, way: broken.way }).toBeUndefined();
    expect(places).toBeGreaterThan(least);
    expect(atRest).toBeGreaterThan(10);
    expect(found.kinds).toEqual(expect.arrayContaining(kinds));
  });
});
