/** `holdfast deploy` after a rollback was recorded and a release has then deployed another tag. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startDouble } from '../runs/deploy-local/rollback/double.ts';
import { openWorld, playTag, type World } from '../runs/deploy-local/rollback/world.ts';
import { holdfast } from './command-server.ts';

vi.setConfig({ testTimeout: 30_000 });

let world: World;
beforeEach(async () => {
  const double = await startDouble();
  world = await openWorld(double.endpoint, double);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world.close();
});

/** Begins to go forward to 1.1.0 and is interrupted while ECS does it, so that the record of the way forward stays. */
async function interruptForward(): Promise<void> {
  await world.rollback();
  await playTag(world, '1.1.0', 'slow');
  const interrupted = new AbortController();
  const port = {
    ...world.deployments,
    async update(...given: Parameters<typeof world.deployments.update>) {
      await world.deployments.update(...given);
      interrupted.abort();
    },
  };
  await expect(world.forward({ port, signal: interrupted.signal })).rejects.toMatchObject({
    reason: 'ABANDONED',
  });
}

it('forward does not lead back to an older tag by the record of an earlier way forward that was interrupted', async () => {
  await interruptForward();
  await world.release('1.2.0');
  const before = await world.status();
  expect(before).toMatchObject({ tag: '1.2.0', parameter: '1.2.0', rolledBack: undefined });
  const { code, json } = await holdfast('deploy', 'forward', '--json');
  expect([code, json.error.reason]).toEqual([4, 'CONFLICT']);
  expect(await world.status()).toMatchObject({ tag: '1.2.0', parameter: '1.2.0' });
});

it('a way forward that was interrupted goes on, and its record is deleted', async () => {
  await interruptForward();
  expect(await world.forward()).toMatchObject({ to: '1.1.0', parameter: '1.1.0' });
  expect(await world.status()).toMatchObject({ tag: '1.1.0', parameter: '1.1.0', rolledBack: undefined });
  expect(await world.forward()).toBeUndefined();
});

it('a rollback after a release does not choose the tag that an operator has left before it', async () => {
  await world.rollback();
  await world.release('1.2.0');
  expect(await world.rollback({ dryRun: true })).toMatchObject({ from: '1.2.0', to: '1.0.0' });
});

it('a rollback after a release chooses a tag that was left, if the release has replaced that tag', async () => {
  await world.rollback();
  await world.release('1.1.0');
  await world.release('1.2.0');
  expect(await world.rollback({ dryRun: true })).toMatchObject({ from: '1.2.0', to: '1.1.0' });
});

it('the commands that a run prints name the stage and the region that it was given', async () => {
  const region = process.env.AWS_REGION ?? '';
  vi.stubEnv('AWS_REGION', 'us-east-2');
  vi.stubEnv('HOLDFAST_STAGE', 'other');
  const where = ['--stage', world.stage, '--region', region];
  const back = await holdfast('deploy', 'rollback', 'api', ...where, '--json');
  expect(back.json.next).toBe(`holdfast deploy forward api ${where.join(' ')}`);
  const forward = await holdfast('deploy', 'forward', 'api', ...where, '--json');
  expect(forward.json.services[0].next).toBe(`holdfast deploy rollback api --to 1.0.0 ${where.join(' ')}`);
  vi.stubEnv('AWS_REGION', region);
  await playTag(world, '1.0.0', 'slow');
  const rest = ['--accept-unknown-schema', '--timeout', '1ms', '--json'];
  const again = await holdfast('deploy', 'rollback', 'api', ...where, ...rest);
  expect(again.json.error.reason).toBe('TIMED_OUT');
  expect(again.json.error.help).toContain(
    `\`holdfast deploy rollback api ${where.join(' ')} --accept-unknown-schema\``,
  );
});
