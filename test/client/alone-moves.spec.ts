/** Tests how soon a task that must run alone reaches a worker that has nothing to do, if others are busy. */
import { expect, it } from 'vitest';
import type { OutcomeKind } from '../../src/core/messages.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { type ClientServer, startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ n: number }>() });
const long = defineTask('long', { input: typed<{ n: number }>(), timeout: '3h' });
const tenant = 'default';
/** The events of a task that `submitLost` has submitted. */
const eventsOfLoss = 7;

/** Submits a task that has lost two workers and becomes ready 20 s later. No worker may run yet. */
async function submitLost({ node, client, advance }: ClientServer, n: number) {
  const submitted = await client.submit(job, { n });
  for (const outcome of ['lost', 'lost', 'snoozed'] as const satisfies readonly OutcomeKind[]) {
    await advance(10);
    const [claimed] = await node.service.claim({
      ...{ tenant, queues: ['default'], types: [{ type: 'job', maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
      ...{ workerName: 'gone', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    const { lease } = claimed ?? expect.fail('nothing was claimed');
    const empty = { result: undefined, message: '', errorType: '', begun: true };
    await node.service.settle([{ lease, outcome, afterMs: 20_000, ...empty }], {
      tenant,
      sessionId: undefined,
    });
  }
  return submitted;
}

/** Submits five lost tasks, then starts `busy` workers that each run a long task and have room for more. */
async function besideBusyWorkers(busy: number) {
  const server = await startClientServer();
  const lost = [];
  for (let i = 0; i < 5; i++) lost.push(await submitLost(server, i));
  const begunAtMs: number[] = [];
  const start = (name: string, takesLong: boolean) => {
    const short = handle(job, async () => {
      begunAtMs.push(server.clock.now());
      await server.clock.sleep(500);
    });
    const all = takesLong ? [short, handle(long, () => server.clock.sleep(3_600_000))] : [short];
    return server.another().client.work(defineWorker({ name, concurrency: 4, handlers: all }));
  };
  for (let i = 0; i < busy; i++) {
    await start(`busy${i}`, true);
    await server.client.submit(long, { n: i });
    await server.advance(500);
  }
  return { ...server, server, lost, begunAtMs, start };
}

/** The number of events of each task since it lost its workers. */
async function laterEvents({ node }: ClientServer, tasks: readonly { readonly id: string }[]) {
  const read = tasks.map(({ id }) => node.service.get(tenant, id, false));
  return (await Promise.all(read)).map(({ snapshot }) => snapshot.head.version - eventsOfLoss);
}

it.each([1, 3, 6])(
  'lost tasks begin within 15 s in a worker that is idle, although %i busy ones fetch them',
  async (busy) => {
    const { server, lost, begunAtMs, start, advance, clock } = await besideBusyWorkers(busy);
    const untilReadyMs = 20_000 - busy * 500;
    await advance(untilReadyMs);
    const readyAtMs = clock.now();
    await start('idle', false);
    await advance(60_000);
    expect(begunAtMs).toHaveLength(5);
    expect(Math.max(...begunAtMs) - readyAtMs).toBeLessThan(15_000);
    // Claimed, recalled a few times, ended.
    expect(Math.max(...(await laterEvents(server, lost)))).toBeLessThanOrEqual(10);
  },
);

it.each([1, 3])(
  'a lost task is given out at most six times in 10 min if all of %i workers are busy',
  async (busy) => {
    const { server, lost, advance } = await besideBusyWorkers(busy);
    await advance(600_000);
    expect(Math.max(...(await laterEvents(server, lost)))).toBeLessThanOrEqual(2 * 6);
  },
);
