import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Bell } from '../../../src/ports/broker.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { Bench } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const heldMs = timing.leaseMs + timing.clockGuardMs;
const hourMs = 3_600_000;

async function heard(bench: Bench): Promise<string[]> {
  return (await bench.hear({ tasks: 10 })).map((bell) => bell.ring.id);
}

/** Accepted, heard and claimed by its hearer. */
async function heardAndClaimed(bench: Bench, task: Snapshot): Promise<{ running: Snapshot; bell: Bell }> {
  const bell = await bench.hearOne();
  expect(bell.ring.id).toBe(task.id);
  return { running: await bench.claim(task), bell };
}

export const bellsOfTasks: Subject = (says) => {
  says('a ready task is heard, once it was rung where bells are apart', async (bench) => {
    const task = await bench.accept({ options: { priority: 'high' } });
    if (!bench.bellsInCommit) {
      expect(await heard(bench)).toEqual([]);
      await bench.ringIfApart([task]);
    }
    const bell = await bench.hearOne();
    const { queue, priority, type, typeVersion, version } = bell.ring;
    expect({ queue, priority, type, typeVersion, version }).toEqual({
      queue: { tenant: 'acme', queue: 'mail' },
      priority: 'high',
      type: 'send',
      typeVersion: 1,
      version: 1,
    });
    expect(bell).toMatchObject({ receives: 1, sentAtMs: bench.now });
    if (bell.hint !== undefined) expect(bell.hint).toEqual(await bench.read(task));
  });

  says('to ring a task twice is to ring it once', async (bench) => {
    const task = await bench.acceptRung();
    expect(await bench.bells.ring([bench.ringOf(task), bench.ringOf(task)])).toEqual([true, true]);
    expect(await heard(bench)).toEqual([task.id]);
  });

  says('a duplicate submission brings no second bell', async (bench) => {
    const task = await bench.acceptRung({ key: 'k' });
    await bench.store.accept([bench.acceptance({ key: 'k' })]);
    await bench.ringIfApart([task]);
    expect(await heard(bench)).toEqual([task.id]);
  });

  says('a scheduled task is not heard before it is made ready', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 5_000 } });
    expect(await heard(bench)).toEqual([]);
    await bench.clock.advance(6_000);
    expect(await heard(bench)).toEqual([]);
    await bench.ringIfApart([task], 'due');
    await bench.makeReady(task);
    expect(await heard(bench)).toEqual([task.id]);
  });

  says('of a lane only the lowest is heard, and the next after the hand-over', async (bench) => {
    const [a, b] = await bench.acceptMany(2, () => ({ orderingKey: 'ann' }));
    if (!a || !b) expect.fail();
    await bench.ringIfApart([a]);
    const { running, bell } = await heardAndClaimed(bench, a);
    expect(await heard(bench)).toEqual([]);
    const done = await bench.succeed(running);
    await bench.bells.silence([bell.handle]);
    expect(await heard(bench)).toEqual([]);
    await bench.store.leave(bench.lane('ann'), a.id);
    await bench.ringIfApart([b], 'handOver');
    expect(await heard(bench)).toEqual([b.id]);
    await bench.handedOver(done);
    expect(await heard(bench)).toEqual([]);
  });

  says('a lane whose lowest waits for a time is silent', async (bench) => {
    const first = await bench.accept({ orderingKey: 'ann', options: { delayMs: 5_000 } });
    await bench.accept({ orderingKey: 'ann' });
    expect(await heard(bench)).toEqual([]);
    await bench.clock.advance(5_000);
    await bench.ringIfApart([first], 'due');
    await bench.makeReady(first);
    expect(await heard(bench)).toEqual([first.id]);
  });

  says('a task that was redriven from a released lane waits its turn', async (bench) => {
    const a = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    await bench.store.leave(bench.lane('ann'), a.id);
    const b = await bench.accept({ orderingKey: 'ann' });
    await bench.ringIfApart([b]);
    const redriven = await bench.redrive(await bench.handedOver(a), true);
    await bench.makeReady(redriven);
    expect(await heard(bench)).toEqual([b.id]);
  });

  says('a running task is silent until its lease is spent, then its bell comes back', async (bench) => {
    const { running } = await heardAndClaimed(bench, await bench.acceptRung());
    await bench.clock.advance(heldMs - 1);
    expect(await heard(bench)).toEqual([]);
    await bench.clock.advance(1);
    const bell = await bench.hearOne();
    expect(bell).toMatchObject({ ring: { id: running.id }, receives: 2 });
    if (bell.hint !== undefined) expect(bell.hint).toEqual(running);
  });

  says('a heartbeat moves the bell on with the lease', async (bench) => {
    const { running, bell } = await heardAndClaimed(bench, await bench.acceptRung());
    await bench.clock.advance(10_000);
    const leaseEndAtMs = bench.now + timing.leaseMs;
    const expect_ = { token: running.head.fencingToken };
    await bench.done({ kind: 'renewal', id: running.id, expect: expect_, leaseEndAtMs, progress: undefined });
    expect(await bench.bells.hide([{ handle: bell.handle, ms: heldMs }])).toEqual([true]);
    await bench.clock.advance(heldMs - 1);
    expect(await heard(bench)).toEqual([]);
    await bench.clock.advance(1);
    expect(await heard(bench)).toEqual([running.id]);
  });

  says('an ended task whose bell was silenced is never heard again', async (bench) => {
    const { running, bell } = await heardAndClaimed(bench, await bench.acceptRung());
    await bench.succeed(running);
    await bench.bells.silence([bell.handle]);
    await bench.clock.advance(hourMs);
    expect(await heard(bench)).toEqual([]);
  });

  says(
    'a retried task is heard when it was made ready, by a bell that the old handle cannot touch',
    async (bench) => {
      const { running, bell } = await heardAndClaimed(bench, await bench.acceptRung());
      const failed = await bench.fail(running, 1_000);
      await bench.bells.silence([bell.handle]);
      expect(await heard(bench)).toEqual([]);
      await bench.clock.advance(1_000);
      await bench.ringIfApart([failed], 'due');
      await bench.makeReady(failed);
      const again = await bench.hearOne();
      expect(again.ring.id).toBe(running.id);
      expect(await bench.bells.hide([{ handle: bell.handle, ms: 0 }])).toEqual([false]);
      expect(await heard(bench)).toEqual([]);
    },
  );

  says('a task that was given back is heard at once', async (bench) => {
    const { running, bell } = await heardAndClaimed(bench, await bench.acceptRung());
    const release = bench.settleOf(running, { outcome: 'released', counted: false, random: 0 });
    await bench.done(bench.transition(running, release));
    if (!bench.bellsInCommit) await bench.bells.hide([{ handle: bell.handle, ms: 0 }]);
    expect(await heard(bench)).toEqual([running.id]);
  });

  says('a task whose spent lease was ended without a claim is heard', async (bench) => {
    const { running } = await heardAndClaimed(bench, await bench.acceptRung());
    await bench.clock.advance(heldMs);
    await bench.done(bench.transition(running, { kind: 'expire' }));
    expect(await heard(bench)).toEqual([running.id]);
  });

  says(
    'where bells live in the process, those of leases spent for a while are found without a worker',
    async (bench) => {
      expect(bench.bells.spent !== undefined).toBe(bench.bellsInCommit);
      const spent = async (): Promise<string[] | undefined> =>
        (await bench.bells.spent?.(bench.now, 1_500, 10))?.map((bell) => bell.ring.id);
      const none = bench.bellsInCommit ? [] : undefined;
      const { running } = await heardAndClaimed(bench, await bench.acceptRung());
      await bench.acceptRung();
      await bench.clock.advance(heldMs + 1_499);
      expect(await spent()).toEqual(none);
      await bench.clock.advance(1);
      expect(await spent()).toEqual(bench.bellsInCommit ? [running.id] : undefined);
      await bench.done(bench.transition(running, { kind: 'expire' }));
      expect(await spent()).toEqual(none);
    },
  );

  says('what is ready is heard by the process that comes after', async (bench) => {
    const ready = await bench.acceptRung();
    const claimed = await bench.claim(await bench.accept());
    await bench.reopen();
    expect(await heard(bench)).toEqual([ready.id]);
    await bench.clock.advance(heldMs);
    await bench.ringIfApart([claimed], 'again');
    expect((await heard(bench)).toSorted()).toEqual([ready.id, claimed.id].toSorted());
  });
};
