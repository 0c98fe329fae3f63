import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorker, handle, RetryAfter } from '../../../src/index.ts';
import { dies, echo, flaky, parent } from './contract.ts';

export default defineWorker({
  handlers: [
    handle(echo, () => {}),
    handle(dies, () => {
      throw new Error('this task dies');
    }),
    handle(flaky, (_input, { attempt }) => {
      if (attempt === 1) throw new RetryAfter('1s');
    }),
    handle(parent, async (_input, { submit }) => {
      const key = { idempotencyKey: 'child', window: '1m' } as const;
      const child = await submit(echo, { text: 'child' }, key);
      await submit(echo, { text: 'child' }, key);
      for (const text of ['1', '2', '3']) await submit(echo, { text }, { orderingKey: 'children' });
      await submit(echo, { text: 'later' }, { delay: '1s' });
      await child.result();
      await child.explain();
      await sleep(61_000);
      await submit(echo, { text: 'child' }, key);
    }),
  ],
});
