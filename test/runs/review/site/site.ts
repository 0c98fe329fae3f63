/** A server on one engine as a process, in plaintext on loopback, with the ways in which a person looks at it: API, CLI, metrics. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grpcTransport } from '../../../../src/client/grpc/transport.ts';
import type { Transport } from '../../../../src/client/transport.ts';
import { systemClock } from '../../../../src/platform/clock.ts';
import { type AwsStore, openAwsStore } from '../../../fixtures/aws-store.ts';
import { freePorts } from '../../backends/stack.ts';
import { type RunningProcess, runProgram, startVerb } from '../../telemetry/processes.ts';

export type Environment = Readonly<Record<string, string>>;
export type EngineName = 'sqlite' | 'aws';
export const engineNames: readonly EngineName[] = ['sqlite', 'aws'];

const main = new URL('../../../../src/cli/main.ts', import.meta.url).pathname;
const preload = new URL('./called-functions-server.ts', import.meta.url).href;

export interface Site {
  readonly engine: EngineName;
  /** The table and the queues; undefined on SQLite. */
  readonly aws: AwsStore | undefined;
  /** The file of the store; undefined on AWS. */
  readonly file: string | undefined;
  /** A folder of its own for the files of this site. */
  readonly dir: string;
  /** The environment with which the command finds the server. */
  readonly env: Environment;
  readonly url: string;
  readonly transport: Transport;
  /** Runs a verb of the command with `--json`, and returns the object that it prints. */
  holdfast<T>(...argv: readonly string[]): Promise<T>;
  /** Returns the sum of the samples of a metric whose labels contain these. */
  metric(name: string, labels?: string): Promise<number>;
  /** Returns how many commits the store of SQLite has made. */
  commits(): number;
  /** Returns the functions of the server that were called since the last call, as `file name`. */
  takeCalled(): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

export async function openSite(engine: EngineName, queues: readonly string[]): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-review-'));
  const file = join(dir, 'queue.db');
  const mark = join(dir, 'commits');
  const aws = engine === 'aws' ? await openAwsStore('review', queues) : undefined;
  const [metricsPort = 0, calledPort = 0] = await freePorts(2);
  let server: RunningProcess | undefined;
  const closeStore = async (): Promise<void> => {
    await server?.end('SIGKILL');
    await aws?.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const store = aws === undefined ? ['--store', `file:${file}`] : [];
    const ports = ['--port', '0', '--http-port', '0', '--metrics-port', `${metricsPort}`];
    server = await startVerb(['serve', '--plaintext', ...store, ...ports], {
      ...aws?.env,
      HOLDFAST_LOG: 'error',
      HOLDFAST_COMMIT_MARK: mark,
      NODE_OPTIONS: `--import ${preload}`,
      REVIEW_CALLED_PORT: `${calledPort}`,
    });
  } catch (thrown) {
    await closeStore();
    throw thrown;
  }
  const address = `127.0.0.1:${server.startReport.grpcPort}`;
  const url = `holdfast+plaintext://${address}`;
  const env = { HOLDFAST_URL: url, HOLDFAST_LOG: 'fatal' };
  const transport = grpcTransport({ address, plaintext: true, clock: systemClock() });
  return {
    ...{ engine, aws, dir, env, url, transport },
    file: aws === undefined ? file : undefined,
    holdfast: async <T>(...argv: readonly string[]) =>
      JSON.parse(await runProgram([main, ...argv, '--json'], env)) as T,
    async metric(name, labels = '') {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line.startsWith(name) && line.includes(labels));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    // The server writes a byte before each commit and one after it.
    commits: () => Math.floor(statSync(mark, { throwIfNoEntry: false })?.size ?? 0) / 2,
    async takeCalled() {
      const answer = await fetch(`http://127.0.0.1:${calledPort}/`);
      return new Set((await answer.json()) as string[]);
    },
    async close() {
      await transport.close();
      await closeStore();
    },
  };
}
