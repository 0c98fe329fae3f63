/** Starts submitters and workers (side.ts) as processes and follows them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache } from './packages.ts';

/** The longest time in ms that a measured step may take. */
const limitMs = 120_000;

export interface SideRequest {
  readonly queue: string;
  readonly tasks: number;
  readonly callers: number;
  readonly how: 'singly' | 'bulk';
}

export interface Submitted {
  readonly seconds: number;
  /** When the first task was sent, in ms since the epoch. */
  readonly sentMs: number;
}

export interface SubmitterProcess {
  submit(request: SideRequest): Promise<Submitted>;
  stop(): Promise<void>;
}

export interface WorkerProcess {
  /** Resolves when this number of tasks has been settled since the start. */
  until(settled: number): Promise<void>;
  /** Resolves with the time of the next beginning of a task, in ms since the epoch. */
  nextBegan(): Promise<number>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('./side.ts', import.meta.url));
/** The client library of bunqueue runs on Bun only. */
const runtimes: Readonly<Record<string, string>> = { bunqueue: join(cache, 'node_modules/bun/bin/bun.exe') };

type Message = Partial<Submitted> & {
  readonly error?: string;
  readonly ready?: boolean;
  readonly settled?: number;
  readonly beganMs?: number;
};

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

async function start(
  name: string,
  parts: readonly string[],
  env: Record<string, string> = {},
): Promise<ChildProcess> {
  const runtime = runtimes[name];
  const options = { env: { ...process.env, ...env }, ...(runtime && { execPath: runtime, execArgv: [] }) };
  const child = fork(program, [name, ...parts], options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  await within(`${name}: a ${parts[0]} side starts`, once(child, 'message'));
  return child;
}

async function within<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs / 1_000} s: ${what}`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

export async function startSubmitter(name: string, address: string): Promise<SubmitterProcess> {
  const child = await start(name, ['submit', address]);
  return {
    async submit(request) {
      const answer = once(child, 'message') as Promise<[Message]>;
      child.send(request);
      const [{ error, seconds = 0, sentMs = 0 }] = await within(`${name} submits ${request.how}`, answer);
      if (error !== undefined) throw new Error(error);
      return { seconds, sentMs };
    },
    stop: () => stop(child),
  };
}

export async function startWorker(
  name: string,
  address: string,
  queue: string,
  options: { readonly inFlight?: number; readonly reportEach?: boolean } = {},
): Promise<WorkerProcess> {
  const env = { REPORT_EACH: String(options.reportEach ?? false) };
  let settled = 0;
  let wake = (): void => {};
  let began = (_: number): void => {};
  const child = await start(name, ['work', address, queue, String(options.inFlight ?? '')], env);
  child.on('message', (message: Message) => {
    if (message.beganMs !== undefined) began(message.beganMs);
    if (message.settled === undefined) return;
    settled = message.settled;
    wake();
  });
  return {
    until: (wanted) =>
      within(
        `${name} settles ${wanted} tasks`,
        new Promise((resolve) => {
          wake = () => settled >= wanted && resolve();
          wake();
        }),
      ),
    nextBegan: () =>
      within(
        `${name} begins a task`,
        new Promise((resolve) => {
          began = resolve;
        }),
      ),
    stop: () => stop(child),
  };
}
