/** A server with its certificates on each engine, as it is fuzzed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { initAws } from '../../../src/cli/aws/init.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { DeployProcess } from '../deploys/deploy-process.ts';
import { FuzzServer, type ServerSetup } from './fuzz-server.ts';
import { issueClients, policy, type Target } from './identities.ts';
import { canaryTenant, fuzzQueues, fuzzTenant } from './messages.ts';

export type EngineName = 'sqlite' | 'aws';

export interface Deployment {
  readonly server: FuzzServer;
  readonly target: Target;
  /** The certificate of the probes. */
  readonly canary: CertificateFiles;
  close(): Promise<void>;
}

const table = 'fuzz';
const region = 'eu-central-1';
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
const standInsProgram = new URL('../deploys/stand-ins-process.ts', import.meta.url).pathname;

type Store = Pick<ServerSetup, 'store' | 'env'> & { close(): Promise<unknown> };

async function awsStore(seed: number): Promise<Store> {
  const standIns = new DeployProcess('stand-ins', [standInsProgram, String(seed)], {});
  const { dynamodb, sqs } = (await standIns.ready) as { dynamodb: string; sqs: string };
  Object.assign(process.env, credentials);
  const store = { table, region, endpointDynamodb: dynamodb, endpointSqs: sqs };
  await initAws({ store, tenant: fuzzTenant, queues: fuzzQueues, priorities: undefined, check: false });
  await initAws({ store, tenant: canaryTenant, queues: ['canary'], priorities: undefined, check: false });
  const env = {
    ...credentials,
    HOLDFAST_ENGINE: 'aws',
    HOLDFAST_AWS_TABLE: table,
    HOLDFAST_AWS_REGION: region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: dynamodb,
    HOLDFAST_AWS_ENDPOINT_SQS: sqs,
  };
  return { store: [], env, close: () => standIns.stop(1_000) };
}

export async function deploy(engine: EngineName, seed: number): Promise<Deployment> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'));
  await initAuthority(dir, Date.now());
  const files = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const { canary, ...clients } = await issueClients((name) =>
    issue(dir, { name, kind: 'client' }, Date.now()),
  );
  const policyFile = join(dir, 'policy.json');
  writeFileSync(policyFile, JSON.stringify(policy));
  const sqlite = { store: ['--store', `file:${join(dir, 'queue.db')}`], env: {}, close: async () => {} };
  const { store, env, close } = engine === 'aws' ? await awsStore(seed) : sqlite;
  const server = await FuzzServer.start({ store, env, files, policyFile });
  return {
    server,
    target: { address: server.address, httpAddress: server.httpAddress, clients },
    canary,
    async close() {
      await server.stop();
      await close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
