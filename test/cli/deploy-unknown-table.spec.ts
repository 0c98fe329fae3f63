/** A definition of a task that does not show which table its process opens must not pass the check of the schema. */
import { type ContainerDefinition, ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startDouble } from '../runs/deploy-local/rollback/double.ts';
import { openWorld, type World } from '../runs/deploy-local/rollback/world.ts';

vi.setConfig({ testTimeout: 30_000 });

let world: World;
let ecs: ECSClient;
beforeEach(async () => {
  const double = await startDouble();
  world = await openWorld(double.endpoint, double);
  ecs = new ECSClient({});
});
afterEach(async () => {
  ecs.destroy();
  await world.close();
});

const repository = () => `images-${world.stage}`;
const registry = '000000000000.dkr.ecr.eu-central-1.amazonaws.com';

/** Registers a revision with the tag 1.2.0, whose image is in ECR. */
async function register(container: ContainerDefinition, from = repository()): Promise<void> {
  const holdfast = { name: 'holdfast', image: `${registry}/${from}:1.2.0`, ...container };
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      ...{ family: `family-${world.stage}`, cpu: '512', memory: '1024' },
      containerDefinitions: [holdfast],
    }),
  );
}

const serve = ['serve', '--engine', 'aws'];
const table = () => `holdfast-${world.stage}`;
const variable = (name: string, value: string) => ({ environment: [{ name, value }] });

it.each<[string, ContainerDefinition, RegExp]>([
  ['names no table', { command: serve }, /it names no table/],
  [
    'has the table in a secret',
    { command: serve, secrets: [{ name: 'HOLDFAST_AWS_TABLE', valueFrom: 'arn:secret' }] },
    /HOLDFAST_AWS_TABLE is a secret/,
  ],
  [
    'has the engine in a secret',
    {
      command: ['serve', '--table', 'jobs'],
      secrets: [{ name: 'HOLDFAST_ENGINE', valueFrom: 'arn:secret' }],
    },
    /HOLDFAST_ENGINE is a secret/,
  ],
  [
    'has its environment in files',
    { command: ['serve'], environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::b/x.env' }] },
    /its environment is in files/,
  ],
  [
    'starts a shell',
    { entryPoint: ['sh', '-c'], command: ['holdfast serve --engine aws --table jobs'] },
    /it starts 'sh -c'/,
  ],
  ['has the command of the image', {}, /leaves the command to the image/],
])('a definition that %s is refused unless the operator accepts it', async (_name, container, message) => {
  await register(container);
  await expect(world.rollback({ to: '1.2.0', dryRun: true })).rejects.toMatchObject({
    ...{ reason: 'BAD_CONFIGURATION', message: expect.stringMatching(message) },
  });
  expect(await world.rollback({ to: '1.2.0', dryRun: true, acceptUnknownSchema: true })).toMatchObject({
    to: '1.2.0',
  });
});

it('a definition whose image is of another repository is refused, since the labels of the tag here are not its own', async () => {
  await register({ command: [...serve, '--table', table()] }, 'another/one');
  await expect(world.rollback({ to: '1.2.0', dryRun: true })).rejects.toMatchObject({
    ...{ reason: 'BAD_CONFIGURATION', message: expect.stringContaining('an image of another/one') },
  });
});

it('the last of two options is the one that counts, as for the process itself', async () => {
  await register({ command: [...serve, '--table', 'other', '--table', table()] });
  expect(await world.rollback({ to: '1.2.0', dryRun: true })).toMatchObject({ to: '1.2.0' });
  await world.setSchema(2);
  await expect(world.rollback({ to: '1.2.0', dryRun: true })).rejects.toMatchObject({
    reason: 'SCHEMA_NEWER',
  });
});

it.each<[string, () => ContainerDefinition]>([
  [
    'a worker of a server',
    () => ({ command: ['worker', 'w.ts'], ...variable('HOLDFAST_URL', 'holdfast://h') }),
  ],
  ['a client with the command of its image', () => variable('HOLDFAST_URL', 'holdfast://h')],
  ['a server with a store in a file', () => ({ command: ['serve', '--store', 'file:a.db'] })],
])('%s opens no table, so that nothing has to fit', async (_name, container) => {
  await register(container());
  await world.setSchema(2);
  expect(await world.rollback({ to: '1.2.0', dryRun: true })).toMatchObject({ to: '1.2.0' });
});
