import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Command } from '../../../src/core/task/command.ts';
import { decide } from '../../../src/core/task/decide.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** Applies a command to a task as a node does whose clock is 10 s behind. */
async function behind(fixture: StoreFixture, task: Snapshot, command: Command): Promise<Snapshot> {
  const read = await fixture.read(task);
  const { options, acceptedAtMs, expiresAtMs } = read.submission;
  const facts = { options, acceptedAtMs, expiresAtMs, onDead: 'release', tip: read.tip } as const;
  const decision = decide(read.head, facts, command, fixture.now - 10_000);
  if (!decision.ok) throw new Error(`rejected: ${decision.rejection.why}`);
  const { events, head } = decision;
  const expect = { revision: read.head.revision };
  return fixture.apply({
    ...{ kind: 'transition', id: task.id, expect, events, head, result: undefined, rejoinLane: false },
  });
}

async function timesOf(fixture: StoreFixture, { id }: Snapshot): Promise<number[]> {
  return (await fixture.store.history(id, 0)).map(({ atMs }) => atMs);
}

export const eventOrder: Subject = (requires) => {
  requires(
    'an event that a node records whose clock is behind has the time of the event before it, and the lease counts from its clock',
    async (fixture) => {
      const task = await fixture.accept();
      const claimed = await behind(fixture, task, fixture.claimCommand());
      expect(claimed.head.leaseEndAtMs).toBe(fixture.now - 10_000 + timing.leaseMs);
      const done = await behind(fixture, claimed, fixture.settleCommand(claimed));
      const { now } = fixture;
      expect(await timesOf(fixture, done)).toEqual([now, now, now]);
      expect(done.head).toMatchObject({ endedAtMs: now, lastEventAtMs: now });
    },
  );

  requires(
    'the time of a task’s last event is known after a heartbeat, a restart and many events',
    async (fixture) => {
      let task = await fixture.accept({ options: { retry: { maxAttempts: 1_000 } } });
      for (let i = 0; i < 70; i++) {
        await fixture.clock.advance(1_000);
        task = await fixture.makeReady(await fixture.fail(await fixture.claim(task), 0));
      }
      expect(task.head.lastEventAtMs).toBe(fixture.now);
      const claimed = await fixture.claim(task);
      await fixture.clock.advance(500);
      const { fencingToken, leaseEndAtMs = 0 } = claimed.head;
      const renewal = { kind: 'renewal', id: task.id, expect: { fencingToken }, leaseEndAtMs } as const;
      const outcome = await fixture.append({ ...renewal, begun: true, progress: undefined });
      expect(outcome).toMatchObject({ kind: 'done', head: { lastEventAtMs: fixture.now - 500 } });
      await fixture.reopen();
      expect((await fixture.read(task)).head.lastEventAtMs).toBe(fixture.now - 500);
      const times = await timesOf(fixture, await behind(fixture, task, fixture.settleCommand(claimed)));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    },
  );

  requires(
    'a task that is redriven by a node whose clock is behind runs at once by that clock',
    async (fixture) => {
      const dead = await fixture.die(await fixture.accept());
      const redriven = await behind(fixture, dead, { kind: 'redrive', actor: 'op' });
      expect(redriven.head).toMatchObject({ waitUntilMs: fixture.now - 10_000, lastEventAtMs: fixture.now });
      expect(await fixture.dueIds(fixture.now - 10_000)).toEqual([dead.id]);
    },
  );
};
