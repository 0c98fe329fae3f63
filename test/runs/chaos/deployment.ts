/** The processes of `npm run chaos` on each engine: servers, workers and submitters, and the links between them. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { type CertificateRequest, issue } from '../../../src/certs/issue.ts';
import { initAws } from '../../../src/cli/aws/init.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { command, DeployProcess } from '../deploys/deploy-process.ts';
import type { RunProcess } from '../deploys/run-process.ts';
import { Server } from '../deploys/server.ts';
import type { PythonClient } from '../python/client.ts';
import { ClockSteps } from './clock-steps.ts';
import { ledgersVariable, nameVariable, queues } from './contract.ts';
import type { Guard } from './guard.ts';
import { Link } from './link.ts';
import { PythonProcess } from './python-process.ts';
import { SmallDisk } from './small-disk.ts';

export type EngineName = 'sqlite' | 'aws';

/**
 * A kind of worker process: a program of the SDK; `holdfast worker` that polls SQS itself; and in Python one with single
 * calls and one with streams.
 */
type WorkerKind = 'sdk' | 'poller' | 'unary' | 'stream';

/** A place for a process, which is started there again and again. */
export interface Place {
  readonly name: string;
  /** True if the clock of the process can be stepped, under its name. */
  readonly hasClock: boolean;
  launch(): RunProcess;
}

export interface Deployment {
  readonly servers: readonly Server[];
  readonly workers: readonly Place[];
  readonly submitters: readonly Place[];
  readonly links: readonly Link[];
  /** The folder of the ledgers. */
  readonly ledgers: string;
  /** The steps of clocks, or why there are none. */
  readonly clocks: ClockSteps | string;
  /** The disk of the store, or why it cannot be filled. */
  readonly disk: SmallDisk | string;
  /** The certificate of the run itself, which the run never replaces. */
  readonly tls: CertificateFiles;
  /** The file of the servers' certificate. */
  readonly serverCertificate: string;
  /** Issues the certificates of the server and of all clients again, under the same names. */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

export interface DeploymentOptions {
  readonly engine: EngineName;
  readonly seed: number;
  /** Tasks without an ordering key per second, from both submitters. */
  readonly perS: number;
  readonly guard: Guard;
  readonly python: PythonClient;
}

const table = 'chaos';
const region = 'eu-central-1';
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
const apiNodes = 2;
const workersOf: Readonly<Record<EngineName, readonly WorkerKind[]>> = {
  sqlite: ['sdk', 'sdk', 'unary', 'stream'],
  aws: ['sdk', 'poller', 'unary', 'stream'],
};
const lanesOfSubmitter = 5;
const serverRequest: CertificateRequest = { name: 'server', kind: 'server' };
const clientNames = ['chaos-sdk', 'chaos-python'] as const;
const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

type Environment = Readonly<Record<string, string>>;

/** The store of a run: how its servers are started. */
export interface Store {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly nodes: number;
  close(): Promise<void>;
}

export async function openAws(seed: number): Promise<Store> {
  const standIns = new DeployProcess(
    'stand-ins',
    [pathOf('../deploys/stand-ins-process.ts'), String(seed)],
    {},
  );
  const { dynamodb, sqs } = (await standIns.ready) as { readonly dynamodb: string; readonly sqs: string };
  Object.assign(process.env, credentials);
  const store = { table, region, endpointDynamodb: dynamodb, endpointSqs: sqs };
  await initAws({ store, tenant: 'default', queues, priorities: undefined, check: false });
  const env = {
    ...credentials,
    HOLDFAST_ENGINE: 'aws',
    HOLDFAST_AWS_TABLE: table,
    HOLDFAST_AWS_REGION: region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: dynamodb,
    HOLDFAST_AWS_ENDPOINT_SQS: sqs,
  };
  return { args: [], env, nodes: apiNodes, close: async () => void (await standIns.stop(1_000)) };
}

class Processes {
  readonly #options: DeploymentOptions;
  readonly #folder: string;
  readonly #clocks: ClockSteps | string;
  readonly #ports: readonly number[];
  readonly #store: Store;
  readonly links: Link[] = [];
  readonly ledgers: string;

  constructor(
    options: DeploymentOptions,
    folder: string,
    clocks: ClockSteps | string,
    ports: readonly number[],
    store: Store,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#clocks = clocks;
    this.#ports = ports;
    this.#store = store;
    this.ledgers = join(folder, 'ledgers');
    mkdirSync(this.ledgers);
  }

  clockOf(name: string): Environment {
    return typeof this.#clocks === 'string' ? {} : this.#clocks.environment(name);
  }

  #own(name: string): Environment {
    return { [ledgersVariable]: this.ledgers, [nameVariable]: name };
  }

  /** Returns the environment of a client, which has a link of its own. */
  async #clientOf(name: string, identity: (typeof clientNames)[number]): Promise<Environment> {
    const link = await Link.open(this.#ports, this.links.length);
    this.links.push(link);
    return {
      ...this.#own(name),
      HOLDFAST_URL: `holdfast://${link.address}`,
      HOLDFAST_CA: join(this.#folder, 'ca.crt'),
      HOLDFAST_CERT: join(this.#folder, `${identity}.crt`),
      HOLDFAST_KEY: join(this.#folder, `${identity}.key`),
    };
  }

  async #inSdk(name: string, file: string, args: readonly string[] = []): Promise<Place> {
    const env = { ...(await this.#clientOf(name, 'chaos-sdk')), ...this.clockOf(name) };
    return { name, hasClock: true, launch: () => new DeployProcess(name, [pathOf(file), ...args], env) };
  }

  async #inPython(name: string, program: string, args: readonly string[] = []): Promise<Place> {
    const env = await this.#clientOf(name, 'chaos-python');
    const { python } = this.#options;
    return { name, hasClock: false, launch: () => new PythonProcess(python, name, program, args, env) };
  }

  #poller(name: string): Place {
    const args = [command, 'worker', '--json', '--drain', '10s', pathOf('./worker-module.ts')];
    const env = { ...this.#store.env, ...this.#own(name), ...this.clockOf(name) };
    return { name, hasClock: true, launch: () => new DeployProcess(name, args, env) };
  }

  worker(kind: WorkerKind, index: number): Promise<Place> | Place {
    const name = `worker-${index}-${kind}`;
    if (kind === 'poller') return this.#poller(name);
    if (kind === 'sdk') return this.#inSdk(name, './worker-process.ts');
    return this.#inPython(name, kind === 'unary' ? 'unary_worker.py' : 'stream_worker.py');
  }

  async submitters(): Promise<Place[]> {
    const { seed, perS } = this.#options;
    const args = (share: number): string[] => [seed, Math.ceil(perS * share), lanesOfSubmitter].map(String);
    return [
      await this.#inSdk('submitter-sdk', './submitter-process.ts', args(0.6)),
      await this.#inPython('submitter-python', 'submitter.py', args(0.4)),
    ];
  }
}

export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  const { engine, seed, guard } = options;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  guard.send({ kind: 'folder', path: folder });
  await initAuthority(folder, Date.now());
  const issueAll = async (): Promise<void> => {
    await issue(folder, serverRequest, Date.now());
    for (const name of clientNames) await issue(folder, { name, kind: 'client' }, Date.now());
  };
  await issueAll();
  const tls = await issue(folder, { name: 'chaos-run', kind: 'client' }, Date.now());
  const clocks = await ClockSteps.prepare(folder);
  const disk = engine === 'sqlite' ? SmallDisk.mount(folder, guard) : 'the table has no disk';
  const path = join(typeof disk === 'string' ? folder : disk.path, 'queue.db');
  const onFile: Store = { args: ['--store', `file:${path}`], env: {}, nodes: 1, close: async () => {} };
  const store = engine === 'sqlite' ? onFile : await openAws(seed);
  const ports = await Promise.all(Array.from({ length: store.nodes }, freePort));
  const processes = new Processes(options, folder, clocks, ports, store);
  const files = ['--ca', tls.ca, '--cert', join(folder, 'server.crt'), '--key', join(folder, 'server.key')];
  const servers = ports.map((port, i) => {
    const name = `server-${i}`;
    const env = { ...store.env, ...processes.clockOf(name) };
    return new Server({ name, port, args: [...store.args, ...files], env });
  });
  return {
    servers,
    workers: await Promise.all(workersOf[engine].map((kind, i) => processes.worker(kind, i))),
    submitters: await processes.submitters(),
    links: processes.links,
    ledgers: processes.ledgers,
    clocks,
    disk,
    tls,
    serverCertificate: join(folder, 'server.crt'),
    rotate: issueAll,
    async close() {
      await Promise.all(processes.links.map((link) => link.close()));
      await Promise.all(servers.map((server) => server.kill()));
      await store.close();
    },
  };
}
