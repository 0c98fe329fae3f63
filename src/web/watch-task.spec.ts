import { expect, it } from 'vitest';
import { connect, defineTask, typed } from '../index.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { EventStreams } from './watch-task.ts';

const greet = defineTask('greet', { input: typed<null>() });

it('more event streams than the limit are refused with 503, until one of them has ended', async () => {
  await using client = connect('memory:');
  const { id } = await client.submit(greet, null);
  const streams = new EventStreams({
    ...{ most: 2, clock: virtualClock(), keepAliveMs: 1_000 },
    shown: { errors: false },
    onError: () => {},
  });
  const parts = { client, grant: {}, types: new Set(['greet']) };
  const answer = (name = id) => streams.answer(name, new Request('http://app/'), parts);
  expect((await answer('1.none')).status).toBe(404);
  const first = await answer();
  const second = await answer();
  const refused = await answer();
  expect([first.status, second.status, refused.status]).toEqual([200, 200, 503]);
  expect(await refused.json()).toMatchObject({ status: 503, reason: 'LIMIT_REACHED' });
  await first.body?.cancel();
  const third = await answer();
  expect(third.status).toBe(200);
  await Promise.all([second.body?.cancel(), third.body?.cancel()]);
});
