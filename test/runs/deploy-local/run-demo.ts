/**
 * The demo on a deployed stage: two servers and two workers that poll SQS run the commands of the deployed task definitions,
 * with the credentials of the deployed roles, and a third worker is a client of the servers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ContainerDefinition,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
} from '@aws-sdk/client-ecs';
import { type AwsDemoResult, runOnAws } from '../../../examples/demo/run-on-aws.ts';
import { secretNames } from '../../../src/cdk/container/command-lines.ts';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { startBalancer } from '../../fixtures/balancer.ts';
import { type CommandProcess, startCommand } from '../../fixtures/command-process.ts';
import { startEcsAgent } from '../../stand-ins/ecs-agent.ts';
import { type AwsStandIn, environmentOf } from '../../stand-ins/ministack-aws.ts';
import { adaptRole } from '../../stand-ins/roles.ts';
import { runNode } from '../iam/processes.ts';
import type { DeployedStage } from './stages.ts';

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
const module = new URL('../../../examples/demo/worker.ts', import.meta.url).pathname;
const tied = new URL('../deploys/tied-to-parent.ts', import.meta.url).href;

/** Everybody with a certificate of the authority may do what the demo does, and a stranger nothing. */
const policy = JSON.stringify({ rules: [{ identity: 'spiffe://holdfast.dev/client/demo' }] });

interface Task {
  /** The containers that end before Holdfast's own one starts. */
  readonly before: readonly ContainerDefinition[];
  readonly container: ContainerDefinition;
  /** The environment of its processes, with the credentials of its role. */
  readonly env: Readonly<Record<string, string>>;
  readonly role: string;
}

export async function runDemo(
  aws: AwsStandIn,
  stage: DeployedStage,
  progress: (line: string) => void,
): Promise<AwsDemoResult> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-deployed-'));
  await initAuthority(folder, Date.now());
  const certificate = await issue(folder, { name: 'server', kind: 'server' }, Date.now());
  const tls = await issue(folder, { name: 'demo', kind: 'client' }, Date.now());
  const [server, worker] = await Promise.all([
    taskOf(aws, stage, 'api', secretsOf(certificate)),
    taskOf(aws, stage, 'worker', new Map()),
  ]);
  for (const { command = [] } of server.before) await runNode([main, ...command], server.env);
  progress(`the queues are registered by the role ${server.role}`);

  const start = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<CommandProcess> =>
    startCommand(args, env, tied);
  const nodes = await Promise.all([1, 2].map(() => start(onLoopback(server.container), server.env)));
  const balancer = await startBalancer(nodes.map(({ startReport }) => Number(startReport.grpcPort)));
  const agent = await startEcsAgent({
    ...{ credentials: await credentialsOf(aws, worker.role), progress },
    cluster: (await stage.place('worker')).cluster,
  });
  progress(`two servers run as the role ${server.role}, workers as ${worker.role}`);
  const clientEnv = {
    HOLDFAST_URL: `holdfast://${balancer.address}`,
    ...{ HOLDFAST_CA: tls.ca, HOLDFAST_CERT: tls.cert, HOLDFAST_KEY: tls.key },
  };
  const site = {
    ...{ nodes, address: balancer.address, tls, clientEnv },
    env: { ...worker.env, ECS_AGENT_URI: agent.uri },
    async stop() {
      await balancer.close();
      await Promise.all(nodes.map((node) => node.end('SIGTERM')));
      await agent.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  // A worker of the deployed task definition differs from its command in the module alone.
  const ofTask = withModule(worker.container);
  const result = await runOnAws(site, module, (args, env) =>
    start(env.ECS_AGENT_URI === undefined ? args : ofTask, env),
  );
  await site.stop();
  progress(`the workers have changed the protection of their tasks ${agent.protections} times`);
  return result;
}

/** Returns a task of a service as it is deployed. */
async function taskOf(
  aws: AwsStandIn,
  stage: DeployedStage,
  name: string,
  secrets: ReadonlyMap<string, string>,
): Promise<Task> {
  const ecs = new ECSClient(aws.root);
  const { cluster, service } = await stage.place(name);
  const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
  const arn = services?.[0]?.taskDefinition ?? '';
  const request = new DescribeTaskDefinitionCommand({ taskDefinition: arn });
  const { containerDefinitions = [], taskRoleArn = '' } = (await ecs.send(request)).taskDefinition ?? {};
  ecs.destroy();
  const container = containerDefinitions.find((one) => one.name === 'holdfast');
  if (container === undefined) throw new Error(`the task definition of ${name} has no container of Holdfast`);
  const role = taskRoleArn.slice(taskRoleArn.lastIndexOf('/') + 1);
  await adaptRole(aws, role);
  const given = secretNamesOf(stage, arn).map((secret) => {
    const value = secrets.get(secret);
    if (value === undefined) throw new Error(`the container of ${name} wants the secret ${secret}`);
    return [secret, value] as const;
  });
  return {
    ...{ container, role, before: containerDefinitions.filter((one) => one.name?.startsWith('register-')) },
    env: {
      ...Object.fromEntries((container.environment ?? []).map((one) => [one.name ?? '', one.value ?? ''])),
      ...Object.fromEntries(given),
      ...environmentOf(await credentialsOf(aws, role)),
      HOLDFAST_LOG: 'fatal',
    },
  };
}

interface TemplateContainer {
  readonly Name: string;
  readonly Secrets?: readonly { readonly Name: string }[];
}

/** Returns the names of the secrets of Holdfast's container, by the template: ministack forgets them. */
function secretNamesOf({ stage, ids }: DeployedStage, arn: string): string[] {
  const [logicalId = ''] = Object.keys(ids).filter((id) => ids[id] === arn);
  const containers = stage.app.Resources[logicalId]?.Properties?.ContainerDefinitions as TemplateContainer[];
  const secrets = containers.find(({ Name }) => Name === 'holdfast')?.Secrets ?? [];
  return secrets.map(({ Name }) => Name);
}

function credentialsOf(aws: AwsStandIn, role: string) {
  return aws.assume(`arn:aws:iam::${aws.account}:role/${role}`);
}

/** Returns the values of the secrets of a server, which Secrets Manager has on AWS. */
function secretsOf({ ca, cert, key }: CertificateFiles): ReadonlyMap<string, string> {
  const read = (file: string): string => readFileSync(file, 'utf8');
  return new Map([
    [secretNames.ca, read(ca)],
    [secretNames.cert, read(cert)],
    [secretNames.key, read(key)],
    [secretNames.policy, policy],
  ]);
}

/** Returns the command of a server on ports that are free here, and on no address but this machine's. */
function onLoopback({ command = [] }: ContainerDefinition): string[] {
  return command.map((word, i) => {
    if (command[i - 1] === '--host') return '127.0.0.1';
    return /^--(http-|alb-)?port$/.test(command[i - 1] ?? '') ? '0' : word;
  });
}

/** Returns the command of a worker with the module of the demo. */
function withModule({ command = [] }: ContainerDefinition): string[] {
  const [verb = '', , ...options] = command;
  return [verb, module, ...options];
}
