import fc from 'fast-check';
import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { watchOf } from '../../../test/fixtures/watch-of.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const queue = { tenant: 'default', queue: 'q' };
const signal = new AbortController().signal;

/** A node whose reads of a task's history take as long as the next of `readMs`, with one task. */
async function nodeWithTask(readMs: readonly number[]) {
  const clock = virtualClock();
  let reads = 0;
  const before = ({ name }: { name: string }) =>
    name === 'store.history' ? clock.sleep(readMs[reads++ % readMs.length] as number) : undefined;
  const engine = externalMemory({ clock, faults: { before } });
  const parts = { ...engine.connect('a'), node: 'a', clock, log: silentLog, createQueues: true };
  const { service } = await createService(parts);
  const [submitted] = await service.submit(queue, [item('k')], { notAfterMs: undefined });
  if (submitted === undefined || submitted.error !== undefined) throw new Error('not accepted');
  const { id } = submitted;

  /** Adds two events: the start of an attempt, and its release. */
  const change = async (): Promise<void> => {
    const types = [{ type: 'note', maxVersion: 1 }];
    const worker = { workerName: 'w', workerId: '1', requestId: '', signal };
    const claim = { tenant: 'default', queues: ['q'], types, maxTasks: 1, waitMs: 0, ...worker };
    const [task = expect.fail('no task')] = await service.claim(claim);
    const release = {
      outcome: 'released',
      result: undefined,
      message: '',
      errorType: '',
      afterMs: 0,
    } as const;
    const settling = { tenant: 'default', sessionId: undefined };
    await service.settle([{ lease: task.lease, begun: false, ...release }], settling);
  };
  const cancel = () => service.cancel('default', id, { actor: 'x', message: '' });
  const follow = (fromVersion: number) => {
    const got: string[] = [];
    const done = (async () => {
      for await (const update of watchOf(service, 'default', id, fromVersion, signal))
        if (update.kind === 'event') got.push(`${update.version} ${update.event.kind}`);
      got.push('end');
    })();
    return { fromVersion, got, done };
  };
  const history = async (): Promise<string[]> => {
    const events = await service.history('default', id, 0);
    return [...events.map(({ kind }, i) => `${i + 1} ${kind}`), 'end'];
  };
  return { clock, change, cancel, follow, history };
}

const step = fc.record({
  kind: fc.constantFrom('change' as const, 'watch' as const),
  fromVersion: fc.nat(40),
  thenMs: fc.nat(30),
});

test('each watcher gets each event once, in order and with its version, to the end, while slow reads of the history and changes of the task overlap', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }),
      async (steps, readMs) => {
        const { clock, change, cancel, follow, history } = await nodeWithTask(readMs);
        for (let i = 0; i < 6; i++) await change();
        const watches = [follow(13)];
        let version = 13;
        await clock.advance(200);
        for (const { kind, fromVersion, thenMs } of steps) {
          if (kind === 'watch') watches.push(follow(fromVersion % version));
          else {
            await change();
            version += 2;
          }
          await clock.advance(thenMs);
        }
        await cancel();
        await clock.advance(60_000);
        const read = history();
        await clock.advance(1_000);
        const all = await read;
        for (const { fromVersion, got } of watches) expect(got).toEqual(all.slice(fromVersion));
      },
    ),
    { numRuns: 60 },
  );
});

test('a watcher gets the last event of a task, although another watcher began while its history was being read', async () => {
  const { clock, change, cancel, follow } = await nodeWithTask([20]);
  for (let i = 0; i < 6; i++) await change();
  const watches = [follow(13)];
  await clock.advance(200);
  watches.push(follow(0));
  await clock.advance(5);
  watches.push(follow(0));
  await clock.advance(1_000);
  await cancel();
  await clock.advance(3_000);
  for (const { fromVersion, got } of watches) {
    expect(got).toHaveLength(14 - fromVersion + 1);
    expect(got.slice(-2)).toEqual(['14 cancelled', 'end']);
  }
});
