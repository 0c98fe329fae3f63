import { expect } from 'vitest';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

async function renewed(fixture: StoreFixture, { id, head }: Snapshot): Promise<Snapshot> {
  const { fencingToken, leaseEndAtMs = 0 } = head;
  const renewal = { kind: 'renewal', id, expect: { fencingToken }, leaseEndAtMs, begun: true } as const;
  return fixture.apply({ ...renewal, progress: undefined });
}

export const leaseSecrets: Subject = (requires) => {
  requires(
    'a claim stores its lease’s secret, and a task that was never claimed has none',
    async (fixture) => {
      const task = await fixture.accept();
      expect((await fixture.read(task)).head.leaseSecret).toBe('');
      const change = fixture.transition(task, fixture.claimCommand());
      expect(change.head.leaseSecret).toMatch(/^[\w-]{11}$/);
      await fixture.append(change);
      expect((await fixture.read(task)).head.leaseSecret).toBe(change.head.leaseSecret);
    },
  );

  requires(
    'a lease’s secret stays through heartbeats, a cancel request and the attempt’s end, until the next claim',
    async (fixture) => {
      for (const end of ['succeed', 'fail', 'snooze', 'cancel'] as const) {
        const claimed = await fixture.claim(await fixture.accept());
        const { leaseSecret } = claimed.head;
        const running = await renewed(fixture, claimed);
        expect(running.head.leaseSecret).toBe(leaseSecret);
        expect((await fixture[end](running)).head.leaseSecret).toBe(leaseSecret);
      }
    },
  );

  requires('each claim of a task has another secret, in a lane and with a deadline too', async (fixture) => {
    for (const request of [{}, { orderingKey: 'ann' }, { options: { deadlineAtMs: fixture.now + 60_000 } }]) {
      const first = await fixture.claim(await fixture.accept(request));
      const waiting = await fixture.makeReady(await fixture.fail(first, 0));
      const second = await fixture.claim(waiting);
      expect(second.head.leaseSecret).toMatch(/^[\w-]{11}$/);
      expect(second.head.leaseSecret).not.toBe(first.head.leaseSecret);
    }
  });

  requires(
    'a head without a secret, as an older version wrote it, is read and changed as any other',
    async (fixture) => {
      const claimed = await fixture.claim(await fixture.accept());
      const older = await fixture.apply(fixture.headChange(claimed, { leaseSecret: '' }));
      expect(older.head).toEqual({ ...claimed.head, leaseSecret: '', revision: 3 });
      const done = await fixture.succeed(await renewed(fixture, older));
      expect(done.head).toMatchObject({ state: 'succeeded', leaseSecret: '' });
    },
  );
};
