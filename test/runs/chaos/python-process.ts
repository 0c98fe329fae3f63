/** A client in Python, as a child process of `npm run chaos`, which ends when its standard input ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { DeployProcess } from '../deploys/deploy-process.ts';
import type { PythonClient } from '../python/client.ts';

/** A child process of the run, in whatever language. */
export type ChildOfRun = Pick<DeployProcess, 'name' | 'pid' | 'ready' | 'ended' | 'status' | 'kill' | 'stop'>;

export class PythonProcess implements ChildOfRun {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly ready: Promise<Readonly<Record<string, unknown>>>;
  readonly ended: Promise<void>;

  /** Starts a program of the folder `python/`. */
  constructor(
    { python, environment }: PythonClient,
    name: string,
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    this.name = name;
    const path = new URL(`./python/${program}`, import.meta.url).pathname;
    this.#process = spawn(python, [path, ...args], {
      // gRPC writes a line to standard error for each connection that it could not open.
      env: { ...process.env, ...environment, GRPC_VERBOSITY: 'NONE', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.ended = new Promise((resolve) => this.#process.once('exit', () => resolve()));
    this.ready = this.#firstLine();
    // A process that ends before it is ready also resolves `ended`.
    this.ready.catch(() => {});
  }

  async #firstLine(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = this.#process;
    if (stdout === null) throw new Error(`${this.name} has no output`);
    const first = await Promise.race([once(stdout, 'data'), this.ended.then(() => undefined)]);
    stdout.resume();
    if (first === undefined) throw new Error(`${this.name} ended with ${this.#process.exitCode}`);
    return JSON.parse(String(first[0])) as Readonly<Record<string, unknown>>;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get status(): number | NodeJS.Signals | null {
    return this.#process.exitCode ?? this.#process.signalCode;
  }

  async stop(graceMs: number): Promise<{ readonly ms: number; readonly inTime: boolean }> {
    const beganMs = performance.now();
    let inTime = true;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => {
      inTime = false;
      this.#process.kill('SIGKILL');
    }, graceMs);
    await this.ended;
    clearTimeout(timer);
    return { ms: performance.now() - beganMs, inTime };
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }
}
