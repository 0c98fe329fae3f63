/** The processes of `npm run rolling` on one engine. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { aws } from '../../../src/engines/aws/index.ts';
import { sqlite } from '../../../src/engines/sqlite/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { type Balancer, startBalancer } from '../../fixtures/balancer.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { ledgersVariable, nameVariable } from '../chaos/contract.ts';
import { type EngineName, openAws, type Store } from '../chaos/deployment.ts';
import type { Guard } from '../chaos/guard.ts';
import { DeployProcess } from '../deploys/deploy-process.ts';
import { freePort } from '../deploys/deployment.ts';
import { ClientPlace, ServerPlace, type Versions } from './places.ts';
import { commandOf, programOf } from './versions.ts';

type WorkerKind = 'sdk' | 'poller';

export interface Deployment {
  readonly servers: readonly ServerPlace[];
  readonly workers: readonly ClientPlace[];
  /** One of each version. */
  readonly submitters: readonly ClientPlace[];
  /** `host:port` of the load balancer. */
  readonly address: string;
  readonly tls: CertificateFiles;
  readonly ledgers: string;
  /** The file of the store; undefined on AWS. */
  readonly file: string | undefined;
  /** Opens the store by this version; a file only while no server has it. */
  openStore(): Promise<Engine>;
  close(): Promise<void>;
}

export interface DeploymentOptions {
  readonly engine: EngineName;
  readonly seed: number;
  readonly perS: number;
  readonly guard: Guard;
  readonly versions: Versions;
}

const workersOf: Readonly<Record<EngineName, readonly WorkerKind[]>> = {
  sqlite: ['sdk', 'sdk', 'sdk'],
  aws: ['sdk', 'poller', 'sdk', 'poller'],
};
const lanesOfSubmitter = 5;
/** Longer than the longest task, so that a worker that polls SQS gives no running task up. */
const pollerDrain = '15s';

/** The table of a run as `openAws` has made it, read from the environment of its servers. */
async function openTable(env: Store['env']): Promise<Engine> {
  return aws({
    table: env.HOLDFAST_AWS_TABLE ?? '',
    clock: systemClock(),
    log: silentLog,
    dynamodb: clientOf(env.HOLDFAST_AWS_ENDPOINT_DYNAMODB ?? ''),
    sqs: { ...clientOf(env.HOLDFAST_AWS_ENDPOINT_SQS ?? ''), useQueueUrlAsEndpoint: false },
  });
}

export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  const { engine, seed, perS, guard, versions } = options;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rolling-'));
  guard.send({ kind: 'folder', path: folder });
  const ledgers = join(folder, 'ledgers');
  mkdirSync(ledgers);
  await initAuthority(folder, Date.now());
  const own = await issue(folder, { name: 'server', kind: 'server' }, Date.now());
  const tls = await issue(folder, { name: 'rolling', kind: 'client' }, Date.now());
  const file = join(folder, 'queue.db');
  const onFile: Store = { args: ['--store', `file:${file}`], env: {}, nodes: 1, close: async () => {} };
  const store = engine === 'sqlite' ? onFile : await openAws(seed);
  const ports = await Promise.all(Array.from({ length: store.nodes }, freePort));
  const balancer: Balancer = await startBalancer(ports);
  const files = ['--ca', own.ca, '--cert', own.cert, '--key', own.key];
  const servers = ports.map(
    (port, i) =>
      new ServerPlace(
        { name: `server-${i}`, port, args: [...store.args, ...files], env: store.env },
        versions,
      ),
  );
  const clientEnv = {
    HOLDFAST_URL: `holdfast://${balancer.address}`,
    HOLDFAST_CA: tls.ca,
    HOLDFAST_CERT: tls.cert,
    HOLDFAST_KEY: tls.key,
  };
  const ledgerOf = (name: string) => ({ [ledgersVariable]: ledgers, [nameVariable]: name });
  const workers = workersOf[engine].map(
    (kind, i) =>
      new ClientPlace(`worker-${i}-${kind}`, 'old', guard, (name, version) => {
        const built = versions[version];
        if (kind === 'sdk')
          return new DeployProcess(name, [programOf(built, 'worker-process.ts')], {
            ...clientEnv,
            ...ledgerOf(name),
          });
        const args = [commandOf(built), 'worker', '--json', '--drain', pollerDrain];
        const env = { ...store.env, ...ledgerOf(name) };
        return new DeployProcess(name, [...args, programOf(built, 'worker-module.ts')], env);
      }),
  );
  const submitters = (['old', 'new'] as const).map(
    (of) =>
      new ClientPlace('submitter', of, guard, (name, version) => {
        const args = [seed, perS / 2, lanesOfSubmitter].map(String);
        const program = programOf(versions[version], 'submitter-process.ts');
        return new DeployProcess(name, [program, ...args], { ...clientEnv, ...ledgerOf(name) });
      }),
  );
  return {
    ...{ servers, workers, submitters, address: balancer.address, tls, ledgers },
    file: engine === 'sqlite' ? file : undefined,
    openStore: () =>
      engine === 'sqlite' ? sqlite({ path: file, clock: systemClock() }) : openTable(store.env),
    async close() {
      await balancer.close();
      await Promise.all(servers.map((server) => server.kill()));
      await store.close();
    },
  };
}
