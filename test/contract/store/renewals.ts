import { expect } from 'vitest';
import type { Progress } from '../../../src/core/task/head.ts';
import type { LeaseRenewal, Snapshot } from '../../../src/ports/task-store.ts';
import type { Subject } from '../subject.ts';

function renewal(task: Snapshot, leaseEndAtMs: number, progress?: Progress): LeaseRenewal {
  return {
    kind: 'renewal',
    id: task.id,
    expect: { fencingToken: task.head.fencingToken },
    leaseEndAtMs,
    begun: true,
    progress,
  };
}

export const renewals: Subject = (requires) => {
  requires(
    'a heartbeat moves the end of a task’s lease, records that the handler was called, and raises the revision without an event',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const leaseEndAtMs = fixture.now + 40_000;
      const outcome = await fixture.append(renewal(running, leaseEndAtMs));
      const head = { ...running.head, leaseEndAtMs, begun: true, revision: 3 };
      expect(outcome).toEqual({ kind: 'done', head, laneSeq: undefined });
      expect(await fixture.read(running)).toEqual({ ...running, head });
    },
  );

  requires(
    'the progress of a task is kept until a heartbeat replaces it or the attempt ends',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const half = { fraction: 0.5, note: 'charging ½' };
      await fixture.append(renewal(running, fixture.now + 30_000, half));
      const renewed = await fixture.apply(renewal(running, fixture.now + 31_000));
      expect(renewed.head.progress).toEqual(half);
      const ended = await fixture.succeed(renewed);
      expect(ended.head.progress).toBeUndefined();
    },
  );

  requires(
    'a heartbeat with another fencing token than the task has conflicts and returns the current task',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const stale = {
        ...renewal(running, fixture.now + 1),
        expect: { fencingToken: running.head.fencingToken + 1 },
      };
      expect(await fixture.append(stale)).toEqual({ kind: 'conflict', current: running });
    },
  );

  requires('a heartbeat of a task that no longer runs conflicts', async (fixture) => {
    const running = await fixture.claim(await fixture.accept());
    const done = await fixture.succeed(running);
    expect(await fixture.append(renewal(running, fixture.now + 1))).toEqual({
      kind: 'conflict',
      current: done,
    });
    const unknown = { ...renewal(running, fixture.now + 1), id: 'nobody' };
    expect(await fixture.append(unknown)).toEqual({ kind: 'conflict', current: undefined });
  });

  requires(
    'a lease expiry that expects an older revision changes nothing after any other write of the task',
    async (fixture) => {
      const writes: readonly ((task: Snapshot) => Promise<Snapshot>)[] = [
        (task) => fixture.apply(renewal(task, fixture.now + 30_000)),
        // This renewal does not move the lease's end, like a renewal that is limited by the timeout of the attempt.
        (task) => fixture.apply(renewal(task, task.head.leaseEndAtMs ?? 0)),
        (task) => fixture.cancel(task),
        (task) => fixture.fail(task),
        (task) => fixture.succeed(task),
        (task) => fixture.claim(task),
      ];
      for (const write of writes) {
        const running = await fixture.claim(await fixture.accept());
        await fixture.clock.advance(33_000);
        const expiry = fixture.transition(running, { kind: 'expire' });
        const current = await write(running);
        expect(await fixture.append(expiry)).toEqual({ kind: 'conflict', current });
        expect(await fixture.read(running)).toEqual(current);
        expect(await fixture.store.history(running.id, 1)).toEqual(current.tip);
      }
    },
  );

  requires('heartbeats and settlements of one batch are applied in their order', async (fixture) => {
    const running = await fixture.claim(await fixture.accept());
    const { fencingToken, version } = running.head;
    const settle = fixture.transition(running, fixture.settleCommand(running), {
      expect: { fencingToken, version },
    });
    const heartbeat = renewal(running, fixture.now + 30_000);
    const outcomes = await fixture.store.append([heartbeat, settle, heartbeat]);
    expect(outcomes.map((one) => one.kind)).toEqual(['done', 'done', 'conflict']);
  });
};
