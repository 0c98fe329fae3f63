/** Measures on local stand-ins of DynamoDB and SQS what reads and duplicate submissions consume. */

import { watchOf } from '../../test/fixtures/watch-of.ts';
import { onFreshSite } from './lives.ts';
import { itemOf, oneKb } from './payloads.ts';
import { minus, times, type Units } from './prices.ts';
import { claimAll, settleAll, submitAll, work } from './work.ts';

/**
 * Measures a duplicate submission: its idempotency key belongs to a task that has ended, or that no worker has claimed
 * yet.
 */
export function duplicate(count: number, when: 'done' | 'waiting'): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    if (when === 'done') await work(worker, queue, count, 'full');
    site.reset();
    await submitAll(api, queue, items, 'full');
    return times(site.consumed(), 1 / count);
  });
}

/**
 * Measures a caller that watches its task from the submission until its end a second later, and then reads the result.
 */
export function resultWait(count: number): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    const ids = await submitAll(api, queue, items, 'full');
    const waits = ids.map(async (id) => {
      for await (const _ of watchOf(api.service, 'default', id, 1, new AbortController().signal)) {
        // The watch ends when the task ends.
      }
      await api.service.get('default', id, true);
    });
    const held = await claimAll(worker, queue, count);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await settleAll(worker, held, undefined);
    await Promise.all(waits);
    await worker.settled();
    return times(site.consumed(), 1 / count);
  });
}

/** The consumption per task of each kind of read. */
export interface ReadCosts {
  readonly get: Units;
  readonly history: Units;
  readonly list: Units;
  readonly listSucceeded: Units;
}

/** Reads tasks by their ids, with their events, and in list pages of a hundred. Returns the consumption per task. */
export function readCosts(count: number): Promise<ReadCosts> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    const ids = await submitAll(api, queue, items, 'full');
    await work(worker, queue, count, 'full');
    const { service } = api;
    const each = async (ask: () => Promise<unknown>): Promise<Units> => {
      const before = site.consumed();
      await ask();
      return times(minus(site.consumed(), before), 1 / count);
    };
    const all = (ask: (id: string) => Promise<unknown>) => () => Promise.all(ids.map(ask));
    const pages = (state: 'succeeded' | undefined) => async () => {
      let cursor: string | undefined;
      do ({ cursor } = await service.list({ ...queue, state }, { limit: 100, cursor }));
      while (cursor !== undefined);
    };
    return {
      get: await each(all((id) => service.get('default', id, false))),
      history: await each(all((id) => service.history('default', id, 0))),
      list: await each(pages(undefined)),
      listSucceeded: await each(pages('succeeded')),
    };
  });
}
