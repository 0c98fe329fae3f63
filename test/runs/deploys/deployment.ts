/** The servers and workers of each engine, as they are deployed in `npm run deploys`. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { initAws } from '../../../src/cli/aws/init.ts';
import { aws } from '../../../src/engines/aws/index.ts';
import { sqlite } from '../../../src/engines/sqlite/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { type Balancer, startBalancer } from '../../fixtures/balancer.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { ledgersVariable, queues, tenant } from './contract.ts';
import { command, DeployProcess, programIn } from './deploy-process.ts';
import { Server } from './server.ts';

export type EngineName = 'sqlite' | 'aws';
/**
 * A kind of worker process: a program of the SDK and `holdfast worker`, both on a server, `holdfast worker` that polls
 * SQS itself, and a worker on a server whose connection carries nothing for seconds.
 */
export type WorkerKind = 'sdk' | 'command' | 'poller' | 'quiet';

/** A load balancer in front of the servers. */
export interface Front extends Omit<Balancer, 'cut'> {
  /** Returns the arguments with which the server of this number opens the port that the load balancer calls. */
  serverArgs(server: number): readonly string[];
}

export interface AwsSetup {
  readonly workers: readonly WorkerKind[];
  readonly queues: readonly string[];
  /** Starts the load balancer of servers with these gRPC ports. `dir` has the authority of all certificates. */
  startFront(ports: readonly number[], dir: string): Promise<Front>;
}

export interface Deployment {
  readonly servers: readonly Server[];
  readonly workers: readonly WorkerKind[];
  /** The folder of the workers' ledgers. */
  readonly ledgers: string;
  readonly tls: CertificateFiles;
  /** The environment of a client of the servers. */
  readonly clientEnv: Readonly<Record<string, string>>;
  launch(kind: WorkerKind, name: string): DeployProcess;
  /** Opens the store of the stopped servers, to read the tasks. */
  openStore(): Promise<Engine>;
  close(): Promise<void>;
}

const table = 'deploys';
const region = 'eu-central-1';
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
const module = programIn('./worker-module.ts');
const apiNodes = 2;

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

interface Folders {
  readonly dir: string;
  readonly ledgers: string;
  readonly serverFiles: readonly string[];
  readonly tls: CertificateFiles;
}

async function createFolders(): Promise<Folders> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-deploys-'));
  const ledgers = join(dir, 'ledgers');
  mkdirSync(ledgers);
  await initAuthority(dir, Date.now());
  const { ca, cert, key } = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const tls = await issue(dir, { name: 'deploys', kind: 'client' }, Date.now());
  return { dir, ledgers, serverFiles: ['--ca', ca, '--cert', cert, '--key', key], tls };
}

function clientEnvOf(address: string, tls: CertificateFiles) {
  return {
    HOLDFAST_URL: `holdfast://${address}`,
    HOLDFAST_CA: tls.ca,
    HOLDFAST_CERT: tls.cert,
    HOLDFAST_KEY: tls.key,
  };
}

function launchOnServer(kind: WorkerKind, name: string, env: Readonly<Record<string, string>>) {
  const programs = { sdk: './sdk-worker-process.ts', quiet: '../alb/quiet-worker-process.ts' } as const;
  const args =
    kind === 'sdk' || kind === 'quiet' ? [programIn(programs[kind])] : [command, 'worker', '--json', module];
  return new DeployProcess(name, args, env);
}

export async function deploySqlite(): Promise<Deployment> {
  const { dir, ledgers, serverFiles, tls } = await createFolders();
  const path = join(dir, 'queue.db');
  const port = await freePort();
  const server = new Server({
    name: 'server',
    port,
    args: ['--store', `file:${path}`, ...serverFiles],
    env: {},
  });
  const clientEnv = clientEnvOf(`127.0.0.1:${port}`, tls);
  return {
    servers: [server],
    workers: ['sdk', 'command', 'sdk'],
    ledgers,
    tls,
    clientEnv,
    launch: (kind, name) => launchOnServer(kind, name, { ...clientEnv, [ledgersVariable]: ledgers }),
    openStore: () => sqlite({ path, clock: systemClock() }),
    async close() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface StandIns {
  readonly dynamodb: string;
  readonly sqs: string;
}

/** Returns the environment of the processes that use the table and the queues themselves. */
async function createTable(
  { dynamodb, sqs }: StandIns,
  created: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  Object.assign(process.env, credentials);
  const store = { table, region, endpointDynamodb: dynamodb, endpointSqs: sqs };
  await initAws({ store, tenant, queues: created, priorities: undefined, check: false });
  return {
    ...credentials,
    HOLDFAST_ENGINE: 'aws',
    HOLDFAST_AWS_TABLE: table,
    HOLDFAST_AWS_REGION: region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: dynamodb,
    HOLDFAST_AWS_ENDPOINT_SQS: sqs,
  };
}

const passThrough: AwsSetup = {
  workers: ['sdk', 'poller', 'command', 'poller'],
  queues,
  startFront: async (ports) => ({ ...(await startBalancer(ports)), serverArgs: () => [] }),
};

export async function deployAws(seed: number, setup: AwsSetup = passThrough): Promise<Deployment> {
  const { dir, ledgers, serverFiles: args, tls } = await createFolders();
  const standInProcess = new DeployProcess(
    'stand-ins',
    [programIn('./stand-ins-process.ts'), String(seed)],
    {},
  );
  const standIns = (await standInProcess.ready) as unknown as StandIns;
  const env = await createTable(standIns, setup.queues);
  const ports = await Promise.all(Array.from({ length: apiNodes }, freePort));
  const balancer = await setup.startFront(ports, dir);
  const argsOf = (server: number): string[] => [...args, ...balancer.serverArgs(server)];
  const servers = ports.map((port, i) => new Server({ name: `node-${i}`, port, args: argsOf(i), env }));
  const clientEnv = clientEnvOf(balancer.address, tls);
  return {
    servers,
    workers: setup.workers,
    ledgers,
    tls,
    clientEnv,
    launch(kind, name) {
      if (kind !== 'poller') return launchOnServer(kind, name, { ...clientEnv, [ledgersVariable]: ledgers });
      return new DeployProcess(name, [command, 'worker', '--json', module], {
        ...env,
        [ledgersVariable]: ledgers,
      });
    },
    openStore: async () =>
      aws({
        table,
        clock: systemClock(),
        log: silentLog,
        dynamodb: clientOf(standIns.dynamodb),
        sqs: { ...clientOf(standIns.sqs), useQueueUrlAsEndpoint: false },
      }),
    async close() {
      await balancer.close();
      await Promise.all(servers.map((server) => server.kill()));
      await standInProcess.stop(1_000);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
