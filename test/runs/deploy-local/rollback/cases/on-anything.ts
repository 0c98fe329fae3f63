/** The cases that need no more than services and revisions, so that ministack alone runs them too. */
import assert from 'node:assert/strict';
import {
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

export const onAnything: readonly NamedRun[] = [
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
      const { servicesOf } = await import('../../../../../src/cli/deploy/find.ts');
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
