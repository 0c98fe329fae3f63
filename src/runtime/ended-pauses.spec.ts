import { expect, it } from 'vitest';
import { memory } from '../engines/memory/index.ts';
import { silentLog } from '../ports/log.ts';
import { createService } from '../service/create-service.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startRuntime } from './runtime.ts';

it('a node resumes a queue within 10 s of the end of its pause', async () => {
  const clock = virtualClock();
  const running = await createService({
    ...memory({ clock }),
    ...{ node: 'n', clock, log: silentLog, createQueues: true },
  });
  const runtime = startRuntime(running);
  const mail = { tenant: 'default', queue: 'mail' };
  const untilMs = clock.now() + 60_000;
  await running.service.updateQueue(mail, { paused: true, untilMs, create: true }, 'op');
  await clock.advance(59_000);
  expect((await running.service.queue(mail)).paused).toBe(true);
  await clock.advance(11_000);
  expect(await running.service.queue(mail)).toMatchObject({ paused: false });
  expect((await running.service.queue(mail)).pause).toBeUndefined();
  await runtime.stop();
});
