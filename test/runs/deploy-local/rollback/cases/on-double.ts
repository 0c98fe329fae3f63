/** The cases for the double alone: the alarms of a stack are in CloudWatch, which ministack does not play. */
import assert from 'node:assert/strict';
import { parameter } from '../world.ts';
import { first, type NamedRun } from './case.ts';

export const onDouble: readonly NamedRun[] = [
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
