import { expect } from 'vitest';
import type { Snapshot, Transition } from '../../../src/ports/task-store.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

function settlement(fixture: StoreFixture, task: Snapshot): Transition {
  const { fencingToken, version } = task.head;
  return fixture.transition(task, fixture.settleCommand(task), { expect: { fencingToken, version } });
}

export const changes: Subject = (requires) => {
  requires(
    'a change that expects the task’s current revision writes its events and its head, and raises the revision',
    async (fixture) => {
      const task = await fixture.accept();
      const change = fixture.transition(task, fixture.claimCommand());
      const outcome = await fixture.append(change);
      const head = { ...change.head, revision: 2 };
      expect(outcome).toEqual({ kind: 'done', head, laneSeq: undefined });
      expect(await fixture.read(task)).toEqual({ ...task, head, tip: change.events });
    },
  );

  requires(
    'the store sets a task’s revision itself and ignores the revision in the head that it is given',
    async (fixture) => {
      const task = await fixture.accept();
      const change = fixture.transition(task, fixture.claimCommand());
      const done = await fixture.apply({ ...change, head: { ...change.head, revision: 77 } });
      expect(done.head.revision).toBe(2);
    },
  );

  requires(
    'a change that expects another revision of the task conflicts, returns the current task, and changes nothing',
    async (fixture) => {
      const task = await fixture.accept();
      const running = await fixture.claim(task);
      const late = fixture.transition(task, { kind: 'cancel', actor: 'op', message: '' });
      expect(await fixture.append(late)).toEqual({ kind: 'conflict', current: running });
      const early = fixture.transition(running, fixture.settleCommand(running), { expect: { revision: 3 } });
      expect(await fixture.append(early)).toEqual({ kind: 'conflict', current: running });
      expect(await fixture.read(task)).toEqual(running);
    },
  );

  requires(
    'readAsSubmitted may return a task as it was submitted, and a claim of a changed task then conflicts',
    async (fixture) => {
      const readAsSubmitted = async (...tasks: { readonly id: string }[]) =>
        (fixture.store.readAsSubmitted ?? fixture.store.read).call(
          fixture.store,
          tasks.map((task) => task.id),
          fixture.now,
        );
      const ready = await fixture.accept();
      const scheduled = await fixture.accept({ options: { delayMs: 1_000 } });
      const taken = await fixture.accept();
      expect(await readAsSubmitted(taken, { id: 'nobody' }, ready)).toEqual([taken, undefined, ready]);
      const running = await fixture.claim(taken);
      expect(await readAsSubmitted(scheduled)).toEqual([scheduled]);
      const made = await fixture.makeReady(scheduled);
      expect(await readAsSubmitted(made)).toEqual([made]);
      const [asSubmitted] = await readAsSubmitted(running);
      if (asSubmitted?.head.revision !== 1) expect(asSubmitted).toEqual(running);
      else {
        expect(asSubmitted).toEqual(taken);
        const claim = fixture.transition(asSubmitted, fixture.claimCommand());
        expect(await fixture.append(claim)).toEqual({ kind: 'conflict', current: running });
      }
      // The stale snapshot of the task must not affect later changes.
      expect((await fixture.succeed(running)).tip).toHaveLength(2);
    },
  );

  requires('a change of an unknown task conflicts and returns no task', async (fixture) => {
    const task = await fixture.accept();
    const change = { ...fixture.transition(task, fixture.claimCommand()), id: 'nobody' };
    expect(await fixture.append(change)).toEqual({ kind: 'conflict', current: undefined });
  });

  requires(
    'exactly one of several concurrent changes that expect the same revision of a task is written',
    async (fixture) => {
      const task = await fixture.accept();
      const calls = Array.from({ length: 6 }, () =>
        fixture.append(fixture.transition(task, fixture.claimCommand())),
      );
      const outcomes = await Promise.all(calls);
      expect(outcomes.filter((one) => one.kind === 'done')).toHaveLength(1);
      expect(outcomes.filter((one) => one.kind === 'conflict')).toHaveLength(5);
      expect((await fixture.read(task)).head.version).toBe(2);
    },
  );

  requires(
    'the changes of one batch are applied in their order, each under its own condition',
    async (fixture) => {
      const [a, b, c] = await fixture.acceptMany(3);
      if (!a || !b || !c) expect.fail();
      const change = (task: Snapshot) => fixture.transition(task, fixture.claimCommand());
      const batch = [change(a), change(a), { ...change(b), expect: { revision: 9 } }, change(c)];
      const outcomes = await fixture.store.append(batch);
      expect(outcomes.map((one) => one.kind)).toEqual(['done', 'conflict', 'conflict', 'done']);
      expect((await fixture.read(b)).head.state).toBe('waiting');
      expect((await fixture.read(c)).head.state).toBe('running');
    },
  );

  requires(
    'a settlement that expects a fencing token and a version is written although heartbeats raised the revision',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const { fencingToken } = running.head;
      const leaseEndAtMs = fixture.now + 60_000;
      await fixture.apply({
        kind: 'renewal',
        id: running.id,
        expect: { fencingToken },
        leaseEndAtMs,
        begun: true,
        progress: undefined,
      });
      const done = await fixture.apply(settlement(fixture, running));
      expect(done.head).toMatchObject({ state: 'succeeded', revision: 4, version: 3 });
    },
  );

  requires('a settlement that expects another fencing token than the task has conflicts', async (fixture) => {
    const running = await fixture.claim(await fixture.accept());
    const change = settlement(fixture, running);
    const { version, fencingToken } = running.head;
    const stale = { ...change, expect: { fencingToken: fencingToken - 1, version } };
    expect(await fixture.append(stale)).toEqual({ kind: 'conflict', current: running });
  });

  requires(
    'a settlement that expects an older version of the task conflicts, because an event was written since',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const cancelling = await fixture.cancel(running);
      expect(cancelling.head).toMatchObject({ state: 'running', cancelRequested: true });
      expect(await fixture.append(settlement(fixture, running))).toEqual({
        kind: 'conflict',
        current: cancelling,
      });
    },
  );

  requires(
    'a settlement after the task’s end conflicts, even with the fencing token and version of the head',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      const change = settlement(fixture, running);
      const done = await fixture.apply(change);
      const { version, fencingToken } = done.head;
      const head = { ...change.head, version: version + 1 };
      const again = await fixture.append({ ...change, head, expect: { fencingToken, version } });
      expect(again).toEqual({ kind: 'conflict', current: done });
    },
  );

  requires(
    'a worker cannot change a task that another worker claimed after the lease had expired',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept());
      await fixture.clock.advance(33_000);
      const taken = await fixture.apply(fixture.transition(running, fixture.claimCommand()));
      expect(taken.tip.map((event) => event.kind)).toEqual(['claimed', 'leaseExpired', 'claimed']);
      expect(taken.head.fencingToken).toBeGreaterThan(running.head.fencingToken);
      expect((await fixture.append(settlement(fixture, running))).kind).toBe('conflict');
      expect(await fixture.read(running)).toEqual(taken);
    },
  );

  requires(
    'a task’s head may change without an event, which raises the task’s revision but not its version',
    async (fixture) => {
      const task = await fixture.accept({ options: { delayMs: 1_000 } });
      await fixture.clock.advance(1_000);
      const ready = await fixture.makeReady(task);
      expect(ready.head).toEqual({ ...task.head, waitUntilMs: undefined, revision: 2 });
      expect(ready.tip).toEqual([]);
    },
  );

  requires('every field of a task’s head is stored in all states of the task', async (fixture) => {
    let task = await fixture.accept({ orderingKey: 'ann', options: { lifetimeMs: 86_400_000 } });
    for (const delay of [0, 1_000]) {
      task = await fixture.claim(task);
      expect((await fixture.read(task)).head).toEqual(task.head);
      task = await fixture.fail(task, delay);
      expect(task.head).toMatchObject({ state: 'waiting', retrying: true, lastError: 'no' });
      await fixture.clock.advance(1_000);
      task = await fixture.makeReady(task);
    }
    task = await fixture.snooze(await fixture.claim(task));
    expect(task.head).toMatchObject({ state: 'waiting', attempt: 2 });
    task = await fixture.die(await fixture.makeReady(task));
    expect(task.head).toMatchObject({
      state: 'dead',
      deadReason: 'fatal',
      endedAtMs: fixture.now,
      worker: 'w-1',
    });
    const kinds = task.tip.map((event) => event.kind);
    expect(kinds).toEqual([
      'claimed',
      'failed',
      'claimed',
      'failed',
      'claimed',
      'snoozed',
      'claimed',
      'died',
    ]);
  });
};
