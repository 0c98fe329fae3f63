/** What it costs to ask, and to ask twice: measured on the stand-ins. */

import { onStage } from './lives.ts';
import { itemOf, oneKb } from './payloads.ts';
import { minus, times, type Units } from './prices.ts';
import { claimAll, settleAll, submitAll, work } from './work.ts';

/** A key submitted again once its task is done, or before anybody claimed it. */
export function duplicate(count: number, when: 'done' | 'waiting'): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    if (when === 'done') await work(worker, queue, count, 'full');
    site.reset();
    await submitAll(api, queue, items, 'full');
    return times(site.consumed(), 1 / count);
  });
}

/** A caller follows its task from the submission on, until it is done a second later, and reads its result. */
export function waitedFor(count: number): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    const ids = await submitAll(api, queue, items, 'full');
    const waits = ids.map(async (id) => {
      for await (const _ of api.service.watch('default', id, 1, new AbortController().signal)) {
        // Until it has ended.
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

export interface Looking {
  readonly get: Units;
  readonly history: Units;
  readonly list: Units;
  readonly listSucceeded: Units;
}

/** Per task that is told of: by its id, its events, and in pages of a hundred. */
export function looking(count: number): Promise<Looking> {
  return onStage(async ({ site, api, worker, queue }) => {
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
