import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { ministackPython } from '../fixtures/ministack-python.ts';
import { startTlsFront } from './tls-front.ts';

const program = new URL('./ministack-aws.py', import.meta.url).pathname;
const startTimeoutMs = 15_000;
const pollMs = 50;

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The configuration of an AWS SDK client. */
export interface AwsClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
}

/** A running stand-in for an account of AWS that enforces the policies of IAM. */
export interface AwsStandIn {
  /** The endpoint of all services, which are called as over TLS. */
  readonly endpoint: string;
  /** The endpoint of all services without TLS. A policy that demands TLS denies requests to it. */
  readonly plainEndpoint: string;
  readonly account: string;
  readonly region: string;
  /** The configuration of clients of the account's root, whom no policy limits. */
  readonly root: AwsClientConfig;
  /** Returns the configuration of clients with the credentials of a role, which STS issues. */
  assume(roleArn: string): Promise<AwsClientConfig>;
  /** Returns another account, of twelve digits, which has nothing yet. It ends with this one. */
  inAccount(account: string): AwsStandIn;
  stop(): Promise<void>;
}

/** Returns the variables by which a process of the command uses the table and the queues of the stand-in. */
export function environmentOf({ endpoint, region, credentials }: AwsClientConfig): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
    AWS_REGION: region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: endpoint,
    HOLDFAST_AWS_ENDPOINT_SQS: endpoint,
  };
}

/**
 * Starts ministack with IAM: each request needs a valid signature, and is judged by the policies of its role and of its
 * queue. All data is in memory. The process ends with this one, also if this one is killed.
 */
export async function startMinistackAws(account = '123456789012'): Promise<AwsStandIn> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-ministack-'));
  const port = await freePort();
  const child = spawn(ministackPython(), [program], {
    cwd: folder,
    env: {
      ...{ PATH: process.env.PATH, HOME: folder, TMPDIR: folder, STATE_DIR: folder },
      ...{ BIND_HOST: '127.0.0.1', MINISTACK_HOST: '127.0.0.1', GATEWAY_PORT: String(port) },
      ...{ AUTH: 'true', LOG_LEVEL: 'ERROR', DOCKER_HOST: 'unix:///nonexistent' },
    },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const plainEndpoint = `http://127.0.0.1:${port}`;
  for (const untilMs = Date.now() + startTimeoutMs; !(await answers(plainEndpoint)); ) {
    if (child.exitCode !== null || Date.now() > untilMs) throw new Error('ministack did not start');
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const front = await startTlsFront(port);
  const region = 'eu-central-1';
  const clients: STSClient[] = [];
  const inAccount = (number: string): AwsStandIn => {
    // An access key of twelve digits is the root of the account with this number.
    const credentials = { accessKeyId: number, secretAccessKey: 'test' };
    const root = { endpoint: front.url, region, credentials };
    const sts = new STSClient(root);
    clients.push(sts);
    return {
      ...{ endpoint: front.url, plainEndpoint, account: number, region, root, inAccount, stop },
      async assume(RoleArn) {
        const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'run' }));
        const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
        const issued = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
        return { endpoint: front.url, region, credentials: { ...issued, sessionToken: SessionToken } };
      },
    };
  };
  async function stop(): Promise<void> {
    for (const client of clients) client.destroy();
    await front.close();
    process.removeListener('exit', kill);
    kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
  return inAccount(account);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  );
}
