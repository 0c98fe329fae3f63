/** Measures on local stand-ins of DynamoDB and SQS what the explanations of tasks consume. */
import { onFreshSite } from './lives.ts';
import { itemOf, oneKb } from './payloads.ts';
import { minus, times, type Units } from './prices.ts';
import { submitAll, work } from './work.ts';

const countedAfterMs = 61_000;

/** The consumption of one ExplainTask call, and of ListTrouble for each task that it examines. */
export interface ExplainCosts {
  readonly ended: Units;
  readonly waiting: Units;
  readonly inLane: Units;
  readonly troubleEnded: Units;
  readonly troubleWaiting: Units;
}

export function explainCosts(count: number): Promise<ExplainCosts> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = () => Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    const { service } = api;
    const each = async (call: () => Promise<unknown>): Promise<Units> => {
      const before = site.consumed();
      await call();
      return times(minus(site.consumed(), before), 1 / count);
    };
    const explainAll = (ids: readonly string[]) => () =>
      Promise.all(ids.map((id) => service.explain('default', id)));
    const trouble = () => service.trouble({ ...queue, mayRead: () => true });
    const done = await submitAll(api, queue, items(), 'full');
    await work(worker, queue, count, 'full');
    const ended = await each(explainAll(done));
    const troubleEnded = await each(trouble);
    const ready = await submitAll(api, queue, items(), 'full');
    // From then on an explanation counts the messages of the queue.
    site.clock.move(countedAfterMs);
    const waiting = await each(explainAll(ready));
    const troubleWaiting = minus(await each(trouble), troubleEnded);
    const ordered = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i), {}, 'lane'));
    const [, ...behind] = await submitAll(api, queue, ordered, 'full');
    const inLane = times(await each(explainAll(behind)), count / behind.length);
    return { ended, waiting, inLane, troubleEnded, troubleWaiting };
  });
}
