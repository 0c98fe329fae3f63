/** Several processes on one table and its queues, as they stand on AWS: stand-ins, API nodes, one address for them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import { initAws } from '../../src/cli/aws-init.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';
import { startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { startSqsProxy } from '../stand-ins/proxy/sqs-proxy.ts';
import { startBalancer } from './balancer.ts';
import { type CommandProcess, startCommand } from './command.ts';

export interface AwsSiteOptions {
  readonly queues: readonly string[];
  /** API nodes. */
  readonly nodes: number;
  /** More like AWS: indexes lag, reads are stale, answers are late or lost. Default false. */
  readonly faults?: boolean | undefined;
}

export interface AwsSite {
  readonly nodes: readonly CommandProcess[];
  /** `host:port` of what stands before the nodes. */
  readonly address: string;
  /** Of a client. */
  readonly tls: CertificateFiles;
  /** What a process that uses table and queues by itself is started with, beside `--engine aws`. */
  readonly env: Readonly<Record<string, string>>;
  /** What a client of the nodes is started with. */
  readonly clientEnv: Readonly<Record<string, string>>;
  /** Ends the nodes that still run, in order, then the stand-ins. */
  stop(): Promise<void>;
}

const table = 'holdfast';
// The stand-ins take any.
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
const region = 'eu-central-1';

interface StandIns {
  readonly endpointDynamodb: string;
  readonly endpointSqs: string;
  stop(): Promise<void>;
}

async function startStandIns(faults: boolean): Promise<StandIns> {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const stop = async (): Promise<void> => void (await Promise.all([dynoxide.stop(), sqs.stop()]));
  if (!faults) return { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint, stop };
  const common = { seed: 11, latency: { fixedMs: 1, jitterMs: 10 } };
  const chance = { loseAnswer: 0.01, loseRequest: 0.005, serverError: 0.005 };
  const [table, queues] = await Promise.all([
    startDynamoProxy({
      ...common,
      upstream: dynoxide.endpoint,
      chance,
      staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY },
      indexLag: { upToMs: 5_000 },
      conflicts: { holdMs: 2 },
    }),
    startSqsProxy({ ...common, upstream: sqs.endpoint, chance }),
  ]);
  return {
    endpointDynamodb: table.url,
    endpointSqs: queues.url,
    async stop() {
      await Promise.all([table.close(), queues.close()]);
      await stop();
    },
  };
}

export async function startAwsSite(options: AwsSiteOptions): Promise<AwsSite> {
  const { queues, nodes: count, faults = false } = options;
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-aws-'));
  const { stop, ...endpoints } = await startStandIns(faults);
  const env = {
    ...credentials,
    HOLDFAST_ENGINE: 'aws',
    HOLDFAST_AWS_TABLE: table,
    HOLDFAST_AWS_REGION: region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: endpoints.endpointDynamodb,
    HOLDFAST_AWS_ENDPOINT_SQS: endpoints.endpointSqs,
  };
  await initAuthority(dir, Date.now());
  const server = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const tls = await issue(dir, { name: 'rig', kind: 'client' }, Date.now());
  Object.assign(process.env, credentials);
  const store = { table, region, ...endpoints };
  await initAws({ store, tenant: 'default', queues, priorities: undefined, check: false });
  const files = ['--ca', server.ca, '--cert', server.cert, '--key', server.key];
  const serve = ['serve', '--port', '0', '--http-port', '0', ...files];
  const nodes = await Promise.all(Array.from({ length: count }, () => startCommand(serve, env)));
  const balancer = await startBalancer(nodes.map(({ told }) => Number(told.grpcPort)));
  return {
    nodes,
    address: balancer.address,
    tls,
    env,
    clientEnv: {
      HOLDFAST_URL: `holdfast://${balancer.address}`,
      HOLDFAST_CA: tls.ca,
      HOLDFAST_CERT: tls.cert,
      HOLDFAST_KEY: tls.key,
    },
    async stop() {
      await balancer.close();
      await Promise.all(nodes.map((node) => node.end('SIGTERM')));
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
