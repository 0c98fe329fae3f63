/**
 * Real processes on the account of the stand-in, each with the credentials of its role, so that IAM judges every call that
 * they make: the registration of the queues, a server, a worker that polls SQS and protects its task, programs that submit
 * and read, and the commands of operators.
 */
import { DynamoDBClient, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { GetQueueUrlCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { registerCommands } from '../../../src/cdk/container/command-lines.ts';
import { silent } from '../../../src/client/log.ts';
import { sqsQueuesOf } from '../../../src/engines/aws/broker/sqs/definition.ts';
import { tableDefinition } from '../../../src/engines/aws/table/schema/definition.ts';
import { connect } from '../../../src/index.ts';
import { startCommand } from '../../fixtures/command-process.ts';
import { startEcsAgent } from '../../stand-ins/ecs-agent.ts';
import { type AwsClientConfig, type AwsStandIn, environmentOf } from '../../stand-ins/ministack-aws.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import type { Caller } from './calls.ts';
import { dies, echo, flaky, parent } from './contract.ts';
import { runNode } from './processes.ts';

export interface ScenarioParts {
  readonly aws: AwsStandIn;
  readonly table: string;
  readonly queues: readonly string[];
  /** The name of the cluster of ECS. */
  readonly cluster: string;
  /** The environment by which processes record their calls. */
  readonly recording: Readonly<Record<string, string>>;
  /** The credentials of each role, by its name. */
  credentials(role: string): Promise<AwsClientConfig>;
  /** Records a call that no process makes which loads the recorder. */
  record(caller: Caller, operation: string, input: object): void;
  /** Prints what is done. */
  progress(line: string): void;
}

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
const program = new URL('./program.ts', import.meta.url).pathname;
const workerModule = new URL('./worker-module.ts', import.meta.url).pathname;

export async function runScenario(parts: ScenarioParts): Promise<void> {
  const { aws, table, recording, progress } = parts;
  const environment = async (role: string): Promise<Record<string, string>> => ({
    ...environmentOf(await parts.credentials(role)),
    ...recording,
    HOLDFAST_LOG: 'fatal',
  });
  const ofServer = await environment('server');
  const names = { tableName: table, queuePrefix: table, queues: parts.queues.map((name) => ({ name })) };
  for (const command of registerCommands(names as Parameters<typeof registerCommands>[0]))
    await runNode([main, ...command], { ...ofServer, HOLDFAST_IAM_CALLER: 'register' });
  progress('the queues are registered');

  const store = ['--engine', 'aws', '--table', table, '--queue-prefix', table];
  const emf = ['--emf', 'Holdfast/iam'];
  const serve = ['serve', ...store, '--plaintext', '--port', '0', '--http-port', '0', ...emf];
  const server = await startCommand(serve, ofServer);
  const agent = await startEcsAgent({
    ...{ credentials: await parts.credentials('worker'), cluster: parts.cluster, progress },
    record: (input) => parts.record('agent', 'UpdateTaskProtection', input),
  });
  const worker = await startCommand(['worker', workerModule, ...store, '--protect-task', ...emf], {
    ...(await environment('worker')),
    ECS_AGENT_URI: agent.uri,
  });
  const client = connect(`holdfast+plaintext://127.0.0.1:${server.startReport.grpcPort}`, { log: silent });
  const as = async (caller: 'submit' | 'read', role: string): Promise<unknown> => {
    const env = { ...(await environment(role)), HOLDFAST_IAM_CALLER: caller };
    return runNode([program, caller, table, aws.endpoint], env);
  };
  // Both wait for the window of a key.
  await Promise.all([tasksOfAllKinds(client), as('submit', 'submitter')]);
  await as('read', 'reader');
  progress('a server and a worker have done their tasks');
  progress('programs have submitted and read tasks');
  const operator = await environment('operator');
  const where = ['--table', table, '--queue-prefix', table];
  await runNode([main, 'dlq', 'drain', ...where], operator);
  await runNode([main, 'queues', 'redispatch', 'default', ...where], operator);
  progress('the operator has drained the dead-letter queues and redispatched a queue');
  await client.close();
  await worker.end('SIGTERM');
  await server.end('SIGTERM');
  await agent.close();
  await initTwice(parts, await environment('operator by docs/aws.md'));
  progress('aws init has created an installation, and corrected what was changed');
}

/** Submits tasks of all kinds, waits for their ends, and makes the calls of a client that administers them. */
async function tasksOfAllKinds(client: ReturnType<typeof connect>): Promise<void> {
  const done = await client.submit(parent, null);
  const late = await client.submit(echo, { text: 'late' }, { delay: '1s' });
  const again = await client.submit(flaky, null);
  const dead = await client.submit(dies, null);
  const lane = [];
  for (const text of ['1', '2', '3']) lane.push(await client.submit(echo, { text }, { orderingKey: 'lane' }));
  for (const task of [late, again, ...lane]) await task.result({ timeout: '60s' });
  await dead.result({ timeout: '60s' }).catch(() => {});
  for (const state of ['dead', 'succeeded', 'ready', 'retrying'] as const) await client.list({ state });
  await client.trouble();
  await dead.explain();
  await dead.redrive();
  await dead.result({ timeout: '60s' }).catch(() => {});
  const cancelled = await client.submit(echo, { text: 'never' }, { delay: '1h' });
  await cancelled.cancel();
  await done.result({ timeout: '120s' });
}

/** Creates an installation by `aws init`, changes its time to live and its queues by hand, and lets `aws init` correct them. */
async function initTwice({ aws }: ScenarioParts, environment: Record<string, string>): Promise<void> {
  const init = [main, 'aws', 'init', '--table', 'jobs', '--queue', 'mail'];
  await runNode(init, environment);
  const [table, sqs] = [new DynamoDBClient(aws.root), standInClient(aws.endpoint, aws.root)];
  const off = { Enabled: false, AttributeName: tableDefinition.ttl };
  await table.send(new UpdateTimeToLiveCommand({ TableName: 'jobs', TimeToLiveSpecification: off }));
  for (const { name, deadName } of sqsQueuesOf('jobs', { tenant: 'default', queue: 'mail' })) {
    for (const QueueName of [name, deadName]) {
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
      const Attributes = { MessageRetentionPeriod: '600' };
      await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
    }
  }
  table.destroy();
  sqs.destroy();
  await runNode(init, environment);
}
