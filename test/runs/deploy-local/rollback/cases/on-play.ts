/** The cases that need rollouts which take a while or fail: the double plays them. */
import assert from 'node:assert/strict';
import { playTag } from '../world.ts';
import {
  afterUpdate,
  assertRolledBack,
  assertUnchanged,
  first,
  Killed,
  killedAfter,
  type NamedRun,
  refused,
  second,
  third,
} from './case.ts';

export const onPlay: readonly NamedRun[] = [
  [
    'a rollout under way is stopped by its own API, and the service is not updated',
    async (world) => {
      await world.release(third, 'slow');
      const before = world.double?.service?.calls.updates;
      await world.rollback();
      await assertRolledBack(world, third, second);
      assert.deepEqual(world.double?.service?.calls, { updates: before, stops: 1 });
    },
  ],
  [
    'a rollout whose tasks fail is shown by the status and stopped',
    async (world) => {
      await world.release(third, 'failing');
      const { sentence, failed, steady } = await world.status();
      assert.match(sentence, /rollout of '1\.2\.0' is IN_PROGRESS: .* failed/);
      assert.ok(failed > 0 && !steady);
      await world.rollback();
      await assertRolledBack(world, third, second);
    },
  ],
  [
    'amid a rollout a tag before its source is reached by a stop and an update',
    async (world) => {
      await world.release(third, 'slow');
      await world.rollback({ to: first });
      await assertRolledBack(world, third, first);
      assert.equal(world.double?.service?.calls.stops, 1);
    },
  ],
  [
    'a rollout that the circuit breaker takes back is waited for, and the parameter follows',
    async (world) => {
      await world.release(third, 'breaker');
      for (let looks = 0; looks < 3; looks++) await world.status();
      assert.match((await world.status()).sentence, /ROLLBACK_IN_PROGRESS .*circuit breaker/);
      await world.rollback();
      await assertRolledBack(world, third, second);
      assert.equal(world.double?.service?.calls.stops, 0);
    },
  ],
  [
    'after the circuit breaker has taken a rollout back only the parameter is written',
    async (world) => {
      await world.release(third, 'breaker');
      for (let looks = 0; looks < 8; looks++) await world.status();
      const { sentence, tag } = await world.status();
      assert.equal(tag, second);
      assert.match(sentence, /ECS has taken '1\.2\.0' back .*the next deployment would try it again/);
      const before = world.double?.service?.calls.updates;
      await world.rollback();
      await assertRolledBack(world, third, second);
      assert.deepEqual(world.double?.service?.calls, { updates: before, stops: 0 });
    },
  ],
  [
    'a tag whose rollouts were all taken back is not the tag before',
    async (world) => {
      await world.release(third, 'breaker');
      for (let looks = 0; looks < 8; looks++) await world.status();
      await world.pushImage('1.3.0', { 'io.holdfast.schema': '1' });
      await world.release('1.3.0');
      const { to } = await world.rollback();
      assert.equal(to, second);
    },
  ],
  [
    'a rollback that the circuit breaker takes back fails, and the way forward sets the parameter back',
    async (world) => {
      await playTag(world, first, 'breaker');
      await assert.rejects(
        world.rollback(),
        refused('ABORTED', 'ROLLOUT_FAILED', /ECS has taken the rollout of '1\.0\.0' back .*circuit breaker/),
      );
      assert.equal((await world.status()).parameter, first);
      await world.forward();
      await assertUnchanged(world);
    },
  ],
  [
    'a rollback whose tasks fail without a circuit breaker fails with the reason of ECS',
    async (world) => {
      await playTag(world, first, 'failed');
      await assert.rejects(
        world.rollback(),
        refused('ABORTED', 'ROLLOUT_FAILED', /has failed: tasks failed to start/),
      );
    },
  ],
  [
    'a slow rollback that is interrupted is gone on with, and the service is updated once',
    async (world) => {
      await playTag(world, first, 'slow');
      const before = world.double?.service?.calls.updates ?? 0;
      const interrupted = new AbortController();
      const port = afterUpdate(world.deployments, async () => interrupted.abort());
      await assert.rejects(
        world.rollback({ port, signal: interrupted.signal }),
        refused('CANCELLED', 'ABANDONED', /ECS goes on/),
      );
      await world.rollback();
      await assertRolledBack(world);
      assert.equal(world.double?.service?.calls.updates, before + 1);
    },
  ],
  [
    'a rollback that takes longer than its timeout says how to go on, and a second run completes it',
    async (world) => {
      await playTag(world, first, 'slow');
      await assert.rejects(
        world.rollback({ timeoutMs: 0 }),
        refused('DEADLINE_EXCEEDED', 'TIMED_OUT', /ECS goes on/),
      );
      await world.rollback();
      await assertRolledBack(world);
    },
  ],
  [
    'two runs at once amid a rollout that fails end in the same state',
    async (world) => {
      await world.release(third, 'failing');
      const both = await Promise.allSettled([world.rollback(), world.rollback()]);
      for (const one of both)
        assert.equal(one.status, 'fulfilled', String((one as PromiseRejectedResult).reason));
      await assertRolledBack(world, third, second);
    },
  ],
  [
    'two slow runs at once end in the same state',
    async (world) => {
      await playTag(world, first, 'slow');
      await Promise.all([world.rollback(), world.rollback()]);
      await assertRolledBack(world);
    },
  ],
  [
    'a run that is killed amid a rollout under way is completed by the next one',
    async (world) => {
      await world.release(third, 'slow');
      for (const count of [0, 1, 2, 3]) {
        const port = killedAfter(world.deployments, count);
        const ended = await world.rollback({ port }).then(
          () => true,
          (thrown: unknown) => {
            assert.ok(thrown instanceof Killed, String(thrown));
            return false;
          },
        );
        if (ended) break;
      }
      await assertRolledBack(world, third, second);
    },
  ],
  [
    'looks at ECS that fail while it goes on are repeated',
    async (world) => {
      await playTag(world, first, 'slow');
      const { double } = world;
      if (double === undefined) return;
      let failures = 0;
      // The SDK tries a call three times, so that two looks fail.
      const port = afterUpdate(world.deployments, async () => {
        double.before = (operation) => {
          if (operation !== 'DescribeServices' || failures >= 6) return;
          failures += 1;
          throw new Error('the network is cut');
        };
      });
      await world.rollback({ port });
      assert.equal(failures, 6);
      assert.ok(world.lines.some((line) => line.includes('Trying again')));
      await assertRolledBack(world);
    },
  ],
  [
    'a release amid a rollback is left as it is, and the rollback fails with a sentence',
    async (world) => {
      await playTag(world, first, 'slow');
      const port = afterUpdate(world.deployments, () => world.release(third, 'slow'));
      await assert.rejects(
        world.rollback({ port }),
        refused('ABORTED', 'ROLLOUT_FAILED', /Another rollout, of '1\.2\.0'/),
      );
      for (let looks = 0; looks < 12; looks++) await world.status();
      const { tag, parameter: next } = await world.status();
      assert.deepEqual([tag, next], [third, third]);
    },
  ],
];
