/** The command line of `holdfast deploy`: its output, its exit statuses, and how wrong use of it is refused. */
import { spawnSync } from 'node:child_process';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Double, startDouble } from '../runs/deploy-local/rollback/double.ts';
import { openWorld, parameter, playTag, type World } from '../runs/deploy-local/rollback/world.ts';
import { holdfast, start } from './command-server.ts';

vi.setConfig({ testTimeout: 30_000 });

let double: Double;
let world: World;
beforeEach(async () => {
  double = await startDouble();
  world = await openWorld(double.endpoint, double);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world.close();
});

it('status, rollback and forward print what runs, what differs, what was checked, and the way back', async () => {
  const status = await holdfast('deploy', 'status');
  expect(status.code).toBe(0);
  expect(status.out).toMatch(/^SERVICE +TAG +VERSION +TASKS +NEXT$/m);
  expect(status.out).toMatch(/^api +1\.1\.0 +1\.1\.0 +2\/2 +1\.1\.0 +It runs what the stack deploys\.$/m);
  expect(status.out).toMatch(/^tags of api: 1\.1\.0, 1\.0\.0$/m);
  const back = await holdfast('deploy', 'rollback', 'api');
  expect(back.code).toBe(0);
  expect(back.err).toContain(
    `api of ${world.stage}: '1.1.0' → '1.0.0' (it ran before)\n  tag: 1.1.0 → 1.0.0\n`,
  );
  expect(back.err).toContain("updating the service to '1.0.0'\n'1.0.0' runs alone\n");
  expect(back.out).toBe(
    `api of ${world.stage} runs '1.0.0'.\n${parameter(world.stage)} says so, and the next deployment of the stack keeps it.\n` +
      '✓ health: 2 tasks run, 0 of them unhealthy\n✓ canary: no alarm of CloudWatch fires\n' +
      '✓ burn: no alarm of CloudWatch fires\nThe way back: holdfast deploy forward api\n',
  );
  expect((await holdfast('deploy', 'status', 'api')).out).toContain("It was rolled back from '1.1.0'.");
  const forward = await holdfast('deploy', 'forward', '--json');
  expect(forward.json.services).toMatchObject([
    {
      ...{ stage: world.stage, service: 'api', from: '1.0.0', to: '1.1.0', parameter: '1.1.0' },
      next: 'holdfast deploy rollback api --to 1.0.0',
    },
  ]);
});

it('the JSON of a status has the tags, the tasks, the rollout and the record', async () => {
  await world.release('1.2.0', 'failing');
  const { json } = await holdfast('deploy', 'status', '--json');
  expect(json).toMatchObject({
    region: 'eu-central-1',
    services: [
      {
        ...{ stage: world.stage, service: 'api', tag: '1.2.0', version: '1.2.0', steady: false, desired: 2 },
        ...{ parameter: '1.2.0', tagParameter: parameter(world.stage), tags: ['1.2.0', '1.1.0', '1.0.0'] },
        rollout: { status: 'IN_PROGRESS', from: '1.1.0', to: '1.2.0' },
      },
    ],
  });
});

it('each refusal has its exit status: usage 2, not found 3, conflict 4', async () => {
  const statuses = async (...argv: readonly string[]) => {
    const { code, json } = await holdfast('deploy', ...argv, '--json');
    return [code, json.error.reason];
  };
  expect(await statuses('rollback')).toEqual([2, 'BAD_FIELD']);
  expect(await statuses('rollback', 'api', '--to', 'no tag')).toEqual([2, 'BAD_FIELD']);
  expect(await statuses('rollback', 'api', '--stage', 'a/b')).toEqual([2, 'BAD_FIELD']);
  expect(await statuses('status', '--stage', 'nowhere')).toEqual([3, 'DEPLOYMENT_NOT_FOUND']);
  expect(await statuses('rollback', 'apo')).toEqual([3, 'DEPLOYMENT_NOT_FOUND']);
  expect(await statuses('rollback', 'api', '--to', '9.9.9')).toEqual([3, 'DEPLOYMENT_NOT_FOUND']);
  expect(await statuses('rollback', 'api', '--to', '1.1.0')).toEqual([4, 'CONFLICT']);
  expect(await statuses('forward')).toEqual([4, 'CONFLICT']);
  expect(await statuses('forward', 'api')).toEqual([4, 'CONFLICT']);
});

it('a region with several stages wants the name of one', async () => {
  const client = new SSMClient({});
  const Value = JSON.stringify({ cluster: 'c', service: 's', repository: 'r', tagParameter: '/t' });
  await client.send(new PutParameterCommand({ Name: '/holdfast/other/services/api', Value, Type: 'String' }));
  client.destroy();
  const { code, json } = await holdfast('deploy', 'status', '--json');
  expect([code, json.error.reason]).toEqual([2, 'BAD_FIELD']);
  expect(json.error.message).toContain('has several stages: other, stage');
  vi.stubEnv('HOLDFAST_STAGE', world.stage);
  expect((await holdfast('deploy', 'status')).code).toBe(0);
});

it('a region without the stack is named', async () => {
  const { code, json } = await holdfast(
    'deploy',
    'status',
    '--region',
    'us-east-2',
    '--stage',
    'prod',
    '--json',
  );
  expect([code, json.error.reason]).toEqual([3, 'DEPLOYMENT_NOT_FOUND']);
  expect(json.error.message).toContain("us-east-2 has no stage 'prod'");
});

it('no region, no credentials and no permission each have a sentence', async () => {
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_REGION', undefined);
  const noRegion = await holdfast('deploy', 'status', '--json');
  expect([noRegion.code, noRegion.json.error.reason]).toEqual([2, 'BAD_CONFIGURATION']);
  expect(noRegion.json.error.message).toBe('No AWS region is known here.');
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  double.before = () => {
    throw Object.assign(new Error('not authorized to perform: ssm:GetParametersByPath'), {
      type: 'AccessDeniedException',
    });
  };
  const denied = await holdfast('deploy', 'status', '--json');
  expect([denied.code, denied.json.error.reason]).toEqual([6, 'DENIED']);
  expect(denied.json.error.message).toContain('ssm:GetParametersByPath');
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
  const none = await holdfast('deploy', 'rollback', 'api', '--json');
  expect([none.code, none.json.error.reason]).toEqual([2, 'BAD_CONFIGURATION']);
  expect(none.json.error.message).toContain('No AWS credentials were found');
});

it('an AWS that does not answer has the exit status 5', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
  const { code, json } = await holdfast('deploy', 'status', '--json');
  expect([code, json.error.reason]).toEqual([5, 'UNREACHABLE']);
});

/** Makes one client of the AWS SDK impossible to find. */
const without = (client: string) =>
  `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) {
  if (name !== '${client}') return next(name, context);
  throw Object.assign(new Error("Cannot find package '" + name + "' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' });
} });
`)}`;
const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;

it.each(['@aws-sdk/client-ecs', '@aws-sdk/client-ecr', '@aws-sdk/client-ssm'])(
  'without %s the command says what to install',
  (client) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', without(client), main, 'deploy', 'status'],
      { encoding: 'utf8' },
    );
    expect(stderr).toContain(`${client} is not installed here.`);
    expect(stderr).toContain('npm install @aws-sdk/client-ecs @aws-sdk/client-ecr @aws-sdk/client-ssm');
    expect(status).toBe(2);
  },
);

it('Ctrl-C ends a rollback with the status 130 and the command that goes on, which completes it', async () => {
  await playTag(world, '1.0.0', 'slow');
  const running = start(['deploy', 'rollback', 'api', '--stage', world.stage]);
  await running.until(/rollout of '1\.0\.0' is IN_PROGRESS/);
  running.signal('SIGINT');
  expect(await running.exit).toBe(130);
  expect(running.err).toContain(`holdfast deploy rollback api --stage ${world.stage}`);
  await world.rollback();
  expect(await world.status()).toMatchObject({ tag: '1.0.0', parameter: '1.0.0', steady: true });
});
