/** The cases of a rollback. `npm test` runs them on the double alone, `npm run rollback` on ministack too. */
import assert from 'node:assert/strict';
import type { Deployments } from '../../../../src/cli/deploy/port.ts';
import { parameter, playTag, tags, type World } from './world.ts';

export interface Case {
  readonly name: string;
  /** True if it needs rollouts that take a while or fail, which ministack alone does not have. */
  readonly needsPlay: boolean;
  run(world: World): Promise<void>;
}

const [first, second, third] = tags;

/** The state in which a rollback from the second tag to the first one ends, whatever happened on the way. */
async function assertRolledBack(world: World, from: string = second, to: string = first): Promise<void> {
  const { tag, parameter: next, rolledBack, steady } = await world.status();
  assert.deepEqual(
    { tag, next, rolledBack, steady },
    {
      ...{ tag: to, next: to, steady: true },
      rolledBack: { from, to, direction: 'back' },
    },
  );
}

async function assertUnchanged(world: World): Promise<void> {
  const { tag, parameter: next, rolledBack, steady } = await world.status();
  assert.deepEqual(
    { tag, next, rolledBack, steady },
    {
      ...{ tag: second, next: second, rolledBack: undefined, steady: true },
    },
  );
}

function refused(code: string, reason: string, message: RegExp) {
  return (thrown: unknown): boolean => {
    const {
      code: foundCode,
      reason: foundReason,
      message: text = '',
      help,
    } = thrown as Record<string, string>;
    assert.deepEqual([foundCode, foundReason], [code, reason], text);
    assert.match(text, message);
    assert.ok(help, 'the error has no help');
    return true;
  };
}

const writes: ReadonlySet<string> = new Set([
  'writeTag',
  'writeRecord',
  'deleteRecord',
  'stopRollout',
  'register',
  'update',
]);

class Killed extends Error {}

/** Returns a port that ends the run after so many writes, as a process that is killed. */
function killedAfter(port: Deployments, count: number): Deployments {
  let left = count;
  return new Proxy(port, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function' || !writes.has(String(name))) return value;
      return async (...args: unknown[]) => {
        if (left-- <= 0) throw new Killed();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/** Returns a port that runs something after the update of the service. */
function afterUpdate(port: Deployments, run: () => Promise<void>): Deployments {
  return {
    ...port,
    async update(...args) {
      await port.update(...args);
      await run();
    },
  };
}

const onAnything: readonly (readonly [name: string, run: (world: World) => Promise<void>])[] = [
  [
    'a finished deployment goes back to the tag before it, the parameter follows, and the way forward is printed',
    async (world) => {
      const moved = await world.rollback();
      assert.equal(moved.next, 'holdfast deploy forward api');
      assert.deepEqual(moved.checks.find(({ name }) => name === 'health')?.ok, true);
      assert.ok(
        moved.differences.some(
          ({ setting, before, after }) => setting === 'version' && before === second && after === first,
        ),
      );
      await assertRolledBack(world);
    },
  ],
  [
    'the way forward leads to the tag that was left, and nothing is left to go forward to',
    async (world) => {
      await world.rollback();
      const moved = await world.forward();
      assert.equal(moved?.to, second);
      await assertUnchanged(world);
      assert.equal(await world.forward(), undefined);
    },
  ],
  [
    'a named tag is gone back to',
    async (world) => {
      await world.release(third);
      await world.rollback({ to: first });
      await assertRolledBack(world, third);
    },
  ],
  [
    'a dry run prints what differs and changes nothing',
    async (world) => {
      const { dryRun, differences } = await world.rollback({ dryRun: true });
      assert.ok(dryRun && differences.length > 0);
      await assertUnchanged(world);
    },
  ],
  [
    'a tag that ECR does not have is refused',
    async (world) => {
      await assert.rejects(
        world.rollback({ to: '9.9.9' }),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /no image with the tag '9\.9\.9'/),
      );
      await world.deleteImage(first);
      await assert.rejects(
        world.rollback(),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /no image with the tag '1\.0\.0'/),
      );
      await assertUnchanged(world);
    },
  ],
  [
    'a tag that was never deployed is refused, since ECS has no revision of it',
    async (world) => {
      await assert.rejects(
        world.rollback({ to: third }),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /never deployed/),
      );
      await assertUnchanged(world);
    },
  ],
  [
    'a tag that runs already is refused',
    async (world) => {
      await assert.rejects(
        world.rollback({ to: second }),
        refused('FAILED_PRECONDITION', 'CONFLICT', /runs '1\.1\.0' already/),
      );
      await assertUnchanged(world);
    },
  ],
  [
    'a rollback of a rollback is refused, and going further back is not',
    async (world) => {
      await world.release(third);
      await world.rollback();
      await assert.rejects(
        world.rollback(),
        refused('FAILED_PRECONDITION', 'CONFLICT', /rollback of a rollback/),
      );
      await assert.rejects(
        world.rollback({ to: third }),
        refused('FAILED_PRECONDITION', 'CONFLICT', /rollback of a rollback/),
      );
      await assertRolledBack(world, third, second);
      await world.rollback({ to: first });
      await assertRolledBack(world, third, first);
    },
  ],
  [
    'an image that cannot read the data is refused, also if unknown schemas are accepted',
    async (world) => {
      await world.setSchema(2);
      for (const acceptUnknownSchema of [false, true]) {
        await assert.rejects(
          world.rollback({ acceptUnknownSchema }),
          refused(
            'FAILED_PRECONDITION',
            'SCHEMA_NEWER',
            /has schema 2, and the image '1\.0\.0' reads schema 1\./,
          ),
        );
      }
      await assertUnchanged(world);
    },
  ],
  [
    'an image that reads the table’s schema beside its own may be gone back to',
    async (world) => {
      await world.deleteImage(first);
      await world.pushImage(first, { 'io.holdfast.schema': '1', 'io.holdfast.reads-schema': '1-2' });
      await world.setSchema(2);
      await world.rollback();
      await assertRolledBack(world);
    },
  ],
  [
    'an image without our labels is refused unless that is accepted',
    async (world) => {
      await world.deleteImage(first);
      await world.pushImage(first, { maintainer: 'somebody' });
      await assert.rejects(
        world.rollback(),
        refused('FAILED_PRECONDITION', 'BAD_CONFIGURATION', /no label io\.holdfast\.schema/),
      );
      await assertUnchanged(world);
      await world.rollback({ acceptUnknownSchema: true });
      await assertRolledBack(world);
    },
  ],
  [
    'the labels of an image for several platforms are those of arm64',
    async (world) => {
      await world.deleteImage(first);
      await world.pushImage(first, { 'io.holdfast.schema': '1' }, 'index');
      await world.rollback();
      await assertRolledBack(world);
    },
  ],
  [
    'a revision that is deregistered is registered again',
    async (world) => {
      await world.deregister(first);
      await world.rollback();
      await assertRolledBack(world);
    },
  ],
  [
    'a service or a stage that does not exist is refused',
    async (world) => {
      const { servicesOf } = await import('../../../../src/cli/deploy/find.ts');
      const { deployments, stage } = world;
      await assert.rejects(
        servicesOf(deployments, stage, 'apo'),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /no service 'apo'/),
      );
      await assert.rejects(
        servicesOf(deployments, 'nowhere', 'api'),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /eu-central-1 has no stage 'nowhere'/),
      );
      const [service] = await servicesOf(deployments, stage, 'api');
      await assert.rejects(
        deployments.state({ ...service, service: 'gone' }),
        refused('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', /does not exist in ECS/),
      );
    },
  ],
  [
    'a run that is killed between any two writes is completed by the next one',
    async (world) => {
      for (let writesDone = 0; ; writesDone++) {
        const port = killedAfter(world.deployments, writesDone);
        const ended = await world.rollback({ port }).then(
          () => true,
          (thrown: unknown) => {
            assert.ok(thrown instanceof Killed, String(thrown));
            return false;
          },
        );
        if (!ended) await world.rollback();
        await assertRolledBack(world);
        await world.forward();
        if (ended) break;
        assert.ok(writesDone < 10);
      }
    },
  ],
  [
    'a way forward that is killed between any two writes is completed by the next one',
    async (world) => {
      for (let writesDone = 0; ; writesDone++) {
        await world.rollback();
        const port = killedAfter(world.deployments, writesDone);
        const ended = await world.forward({ port }).then(
          () => true,
          () => false,
        );
        if (!ended) await world.forward();
        await assertUnchanged(world);
        if (ended) break;
        assert.ok(writesDone < 10);
      }
    },
  ],
  [
    'two runs at once end in the same state',
    async (world) => {
      const both = await Promise.allSettled([world.rollback(), world.rollback()]);
      assert.ok(both.some(({ status }) => status === 'fulfilled'));
      await assertRolledBack(world);
    },
  ],
];

const onPlay: typeof onAnything = [
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

/** The alarms of a stack are CloudWatch's, which neither ministack's world nor its prefix knows. */
const onDouble: typeof onAnything = [
  [
    'alarms of the stack that fire after a rollback are named, those of the canary by themselves',
    async (world) => {
      world.double?.stored.firing
        .add(`${world.stage}-AlarmsCanaryMissing1`)
        .add(`${world.stage}-AlarmsOldestReady1`)
        .add('other-1');
      const { checks } = await world.rollback();
      assert.deepEqual(
        checks.map(({ name, ok, sentence }) => [name, ok, sentence]),
        [
          ['health', true, '2 tasks run, 0 of them unhealthy'],
          ['canary', false, `alarms fire: ${world.stage}-AlarmsCanaryMissing1`],
          ['burn', false, `alarms fire: ${world.stage}-AlarmsOldestReady1`],
        ],
      );
      assert.equal(
        await world.deployments.tag((await world.deployments.services(world.stage))[0] as never),
        first,
      );
      assert.ok(
        world.lines.some((line) => line.includes(parameter(world.stage)) || line.includes('parameter')),
      );
    },
  ],
];

const named = (list: typeof onAnything, needsPlay: boolean): Case[] =>
  list.map(([name, run]) => ({ name, needsPlay, run }));

/** The cases for a double before ministack and, without those that need a play, for ministack alone. */
export const cases: readonly Case[] = [...named(onAnything, false), ...named(onPlay, true)];
/** The cases for the double alone. */
export const doubleCases: readonly Case[] = [...cases, ...named(onDouble, true)];
