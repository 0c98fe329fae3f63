import { expect } from 'vitest';
import type { Progress } from '../../../src/core/task/head.ts';
import type { Renewal, Snapshot } from '../../../src/ports/task-store.ts';
import type { Subject } from '../subject.ts';

function renewal(task: Snapshot, leaseEndAtMs: number, progress?: Progress): Renewal {
  return {
    kind: 'renewal',
    id: task.id,
    expect: { fencingToken: task.head.fencingToken },
    leaseEndAtMs,
    progress,
  };
}

export const renewals: Subject = (says) => {
  says('a heartbeat moves the lease’s end and raises the revision, and is no event', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const leaseEndAtMs = bench.now + 40_000;
    const outcome = await bench.append(renewal(running, leaseEndAtMs));
    const head = { ...running.head, leaseEndAtMs, revision: 3 };
    expect(outcome).toEqual({ kind: 'done', head, laneSeq: undefined });
    expect(await bench.read(running)).toEqual({ ...running, head });
  });

  says('progress is kept until it is told anew or the attempt is over', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const half = { fraction: 0.5, note: 'charging ½' };
    await bench.append(renewal(running, bench.now + 30_000, half));
    const beaten = await bench.done(renewal(running, bench.now + 31_000));
    expect(beaten.head.progress).toEqual(half);
    const ended = await bench.succeed(beaten);
    expect(ended.head.progress).toBeUndefined();
  });

  says('a heartbeat of another token is refused with what stands', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const stale = {
      ...renewal(running, bench.now + 1),
      expect: { fencingToken: running.head.fencingToken + 1 },
    };
    expect(await bench.append(stale)).toEqual({ kind: 'refused', current: running });
  });

  says('a heartbeat of a task that runs no more is refused', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const done = await bench.succeed(running);
    expect(await bench.append(renewal(running, bench.now + 1))).toEqual({ kind: 'refused', current: done });
    const unknown = { ...renewal(running, bench.now + 1), id: 'nobody' };
    expect(await bench.append(unknown)).toEqual({ kind: 'refused', current: undefined });
  });

  says(
    'an expiry conditional on an older revision changes nothing, whatever was written since',
    async (bench) => {
      const since: readonly ((task: Snapshot) => Promise<Snapshot>)[] = [
        (task) => bench.done(renewal(task, bench.now + 30_000)),
        // Not even the lease's end differs: it had come to the attempt's.
        (task) => bench.done(renewal(task, task.head.leaseEndAtMs ?? 0)),
        (task) => bench.cancel(task),
        (task) => bench.fail(task),
        (task) => bench.succeed(task),
        (task) => bench.claim(task),
      ];
      for (const written of since) {
        const running = await bench.claim(await bench.accept());
        await bench.clock.advance(33_000);
        const expiry = bench.transition(running, { kind: 'expire' });
        const stands = await written(running);
        expect(await bench.append(expiry)).toEqual({ kind: 'refused', current: stands });
        expect(await bench.read(running)).toEqual(stands);
        expect(await bench.store.history(running.id, 1)).toEqual(stands.tip);
      }
    },
  );

  says('heartbeats and settlements go together in one batch, in their order', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const { fencingToken, version } = running.head;
    const settle = bench.transition(running, bench.settleOf(running), { expect: { fencingToken, version } });
    const beat = renewal(running, bench.now + 30_000);
    const outcomes = await bench.store.append([beat, settle, beat]);
    expect(outcomes.map((one) => one.kind)).toEqual(['done', 'done', 'refused']);
  });
};
