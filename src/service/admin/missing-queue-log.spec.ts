import { expect, it } from 'vitest';
import { memory } from '../../engines/memory/index.ts';
import type { Log } from '../../ports/log.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

/** Starts a node that has a queue `mails`. Its `logged` are the names of workers, queues and the remedies that it logs. */
async function startNode() {
  const clock = virtualClock();
  const logged: string[] = [];
  const log: Log = {
    ...silentLog,
    info({ worker, queue, help }, text) {
      if (text.includes('does not exist')) logged.push(`${worker} ${queue}: ${help}`);
    },
  };
  const { service } = await createService({
    ...memory({ clock }),
    node: 'n',
    clock,
    log,
    createQueues: true,
  });
  await service.updateQueue({ tenant: 'default', queue: 'mails' }, { create: true }, 'op');
  const claim = (queue: string, workerName: string) =>
    service.claim({
      tenant: 'default',
      queues: [queue],
      types: [{ type: 'note', maxVersion: 1 }],
      workerName,
      workerId: '1',
      requestId: '',
      maxTasks: 1,
      waitMs: 0,
      signal: new AbortController().signal,
    });
  return { claim, logged, clock, service };
}

it('a worker that polls a mistyped queue is logged once, with the nearest name', async () => {
  const { claim, logged } = await startNode();
  for (let i = 0; i < 3; i++) await claim('mail', 'poller');
  expect(logged).toEqual([expect.stringMatching(/^poller mail: Did you mean 'mails'\?/)]);
});

it('two workers that poll a mistyped queue are both logged', async () => {
  const { claim, logged } = await startNode();
  await claim('mail', 'one');
  await claim('mail', 'other');
  expect(logged).toHaveLength(2);
});

it('a worker of a queue that does not exist yet, and has no name like another, is logged only after a minute', async () => {
  const { claim, logged, clock } = await startNode();
  await claim('invoices', 'early');
  await clock.advance(59_999);
  await claim('invoices', 'early');
  expect(logged).toEqual([]);
  await clock.advance(1);
  expect(logged).toEqual([expect.stringMatching(/^early invoices: Check the name/)]);
  await clock.advance(120_000);
  expect(logged).toHaveLength(1);
});

it('a worker is not logged whose queue is created within a minute', async () => {
  const { claim, logged, clock, service } = await startNode();
  await claim('invoices', 'early');
  await service.updateQueue({ tenant: 'default', queue: 'invoices' }, { create: true }, 'op');
  await clock.advance(120_000);
  expect(logged).toEqual([]);
});

it('a worker that polls a queue that exists is not logged', async () => {
  const { claim, logged } = await startNode();
  await claim('mails', 'poller');
  expect(logged).toEqual([]);
});
