/** A server on SQLite with its workers, each a process of its own, over mutual TLS. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { silent } from '../../../src/client/log.ts';
import { type Client, connect, defineTask, type TaskEvent, typed } from '../../../src/index.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { type Child, startChild } from './child.ts';

/** `label` names the task in the file `begun`. The handler of the worker `exitsIn` ends its process. */
export interface JobInput {
  readonly label: string;
  readonly ms: number;
  readonly exitsIn?: string;
}

export const job = defineTask('job', { input: typed<JobInput>() });
/** A task whose handler is called at most once. */
export const once = defineTask('once', { input: typed<JobInput>(), retry: { maxAttempts: 1 } });

const sdk = new URL('../../../src/index.ts', import.meta.url).href;
/** The worker appends a line to the file `begun` for each call of a handler, and one to `aborted` for each abort. */
const workerModule = `
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTask, defineWorker, handle, typed } from '${sdk}';
const { WORKER, SLOTS, QUEUE } = process.env;
const run = async ({ label, ms, exitsIn }, { signal }) => {
  appendFileSync('begun', WORKER + ' ' + label + '\\n');
  signal.addEventListener('abort', () => appendFileSync('aborted', label + ' ' + signal.reason.kind + '\\n'));
  if (exitsIn === WORKER) setTimeout(() => process.exit(7), 1_000);
  await sleep(ms);
};
const job = defineTask('job', { input: typed() });
const once = defineTask('once', { input: typed(), retry: { maxAttempts: 1 } });
export default defineWorker({
  name: WORKER, concurrency: Number(SLOTS), queues: [QUEUE], handlers: [handle(job, run), handle(once, run)],
});`;

export interface WorkerSettings {
  /** The name of the worker, which begins the lines of its tasks in the file `begun`. */
  readonly name: string;
  readonly slots: number;
  readonly queue: string;
  /** The port through which the worker reaches the server. Default: the server's own. */
  readonly port?: number;
}

export interface Site extends AsyncDisposable {
  readonly client: Client;
  readonly port: number;
  readonly server: Child;
  /** Starts a server on the same store and port as before. */
  startServerAgain(): Promise<void>;
  startWorker(settings: WorkerSettings): Promise<Child>;
  /** Submits a task for each input, in this order, and returns their ids. */
  submit(queue: string, type: typeof job | typeof once, inputs: readonly JobInput[]): Promise<string[]>;
  /** Returns the labels of the tasks whose handlers this worker has called, in the order of the calls. */
  begun(worker: string): string[];
  /** Returns a line for each handler whose signal was aborted: the label and the kind. */
  aborted(): string[];
}

async function issueAll(dir: string): Promise<Record<'server' | 'client', CertificateFiles>> {
  await initAuthority(dir, Date.now());
  const server = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  return { server, client: await issue(dir, { name: 'client', kind: 'client' }, Date.now()) };
}

export async function startSite(): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-what-'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'worker.ts'), workerModule);
  const files = await issueAll(dir);
  const children: Child[] = [];
  const startIn = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): Child => {
    const child = startChild(argv, dir, env);
    children.push(child);
    return child;
  };
  const { ca, cert, key } = files.server;
  const startServer = async (port: number): Promise<{ server: Child; port: number }> => {
    const ports = ['--port', String(port), '--http-port', '0'];
    const server = startIn(['serve', '--json', ...ports, '--ca', ca, '--cert', cert, '--key', key]);
    const { grpcPort } = JSON.parse(await server.until(/\n/)) as { grpcPort: number };
    return { server, port: grpcPort };
  };
  const lines = (name: string): string[] =>
    readFileSync(join(dir, name), { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1);
  const first = await startServer(0);
  let { server } = first;
  const client = connect(`holdfast://127.0.0.1:${first.port}`, { tls: files.client, log: silent });
  return {
    client,
    port: first.port,
    get server() {
      return server;
    },
    async startServerAgain() {
      ({ server } = await startServer(first.port));
    },
    async startWorker({ name, slots, queue, port = first.port }) {
      const worker = startIn(['worker', 'worker.ts'], {
        HOLDFAST_URL: `holdfast://127.0.0.1:${port}`,
        HOLDFAST_CA: files.client.ca,
        HOLDFAST_CERT: files.client.cert,
        HOLDFAST_KEY: files.client.key,
        WORKER: name,
        SLOTS: String(slots),
        QUEUE: queue,
      });
      await worker.until(/working on/);
      return worker;
    },
    async submit(queue, type, inputs) {
      const outcomes = await client.submitMany(
        type,
        inputs.map((input) => ({ input, queue })),
      );
      return outcomes.map((outcome) => {
        if (!outcome.ok) throw outcome.error;
        return outcome.task.id;
      });
    },
    begun: (worker) =>
      lines('begun').flatMap((line) => {
        const [name, label = ''] = line.split(' ');
        return name === worker ? [label] : [];
      }),
    aborted: () => lines('aborted'),
    async [Symbol.asyncDispose]() {
      await client.close();
      await Promise.all(children.map((child) => child.kill()));
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Returns the events of a task that has ended. */
export async function historyOf({ client }: Site, id: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of client.task(id).events()) events.push(event);
  return events;
}

export async function kindsOf(site: Site, id: string): Promise<string[]> {
  return (await historyOf(site, id)).map(({ kind }) => kind);
}

/** Waits until the check passes. The time is only there for what would never happen. */
export function eventually(check: () => unknown, timeoutMs = 40_000): Promise<unknown> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 50 });
}

/** Returns `count` inputs with the labels `prefix-0`, `prefix-1` … */
export function jobs(prefix: string, count: number, ms: number): JobInput[] {
  return Array.from({ length: count }, (_, i) => ({ label: `${prefix}-${i}`, ms }));
}

/** Waits until the server knows that the handlers of these tasks were called. */
export async function untilRunning({ client }: Site, ids: readonly string[]): Promise<void> {
  await eventually(async () => {
    const all = await Promise.all(ids.map((id) => client.task(id).status()));
    expect(all.map(({ state }) => state)).toEqual(ids.map(() => 'running'));
  });
}

/** Returns the ids of the tasks that workers have fetched and not begun. */
export async function reservedOf({ client }: Site, queue: string): Promise<string[]> {
  const { tasks } = await client.list({ queue, state: 'reserved' });
  return tasks.map(({ id }) => id);
}
