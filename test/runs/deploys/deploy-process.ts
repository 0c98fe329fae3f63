/** A child process of `npm run deploys`, which ends when the run ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const tied = new URL('./tied-to-parent.ts', import.meta.url).href;
/** The path of the command `holdfast`. */
export const command = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
/** The folder of Node's compile cache, which halves the start time of each process. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

/** How long a process took to end, and whether that was within its grace. */
export interface Stop {
  readonly ms: number;
  readonly inTime: boolean;
}

/** Returns the path of a main program in this folder. */
export function programIn(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

export class DeployProcess {
  readonly name: string;
  readonly #process: ChildProcess;
  /** Resolves with the JSON object in the first line of the process's output. */
  readonly ready: Promise<Readonly<Record<string, unknown>>>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  #endedAtMs: number | undefined;

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#process = spawn(process.execPath, ['--import', tied, ...args], {
      env: { HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', () => {
        this.#endedAtMs = Date.now();
        resolve();
      });
    });
    this.ready = this.#firstLine();
    // A process that ends before it is ready also resolves `ended`, so a rejection that nobody awaits is ignored.
    this.ready.catch(() => {});
  }

  async #firstLine(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = this.#process;
    if (stdout === null) throw new Error(`${this.name} has no output`);
    const first = await Promise.race([once(stdout, 'data'), this.ended.then(() => undefined)]);
    stdout.resume();
    const { exitCode, signalCode } = this.#process;
    if (first === undefined) throw new Error(`${this.name} ended with ${exitCode ?? signalCode}`);
    const line = JSON.parse(String(first[0])) as Readonly<Record<string, unknown>>;
    if ('error' in line) throw new Error(`${this.name} failed: ${JSON.stringify(line.error)}`);
    return line;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get endedAtMs(): number | undefined {
    return this.#endedAtMs;
  }

  /** The exit status of the process, or the signal that ended it. Null while it lives. */
  get status(): number | NodeJS.Signals | null {
    return this.#process.exitCode ?? this.#process.signalCode;
  }

  onMessage(receive: (message: never) => void): void {
    this.#process.on('message', receive as (message: unknown) => void);
  }

  send(message: object): void {
    // A message to a process that is just ending fails, and nobody needs it any more.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** Sends SIGTERM, and SIGKILL if the process has not ended after its grace. Resolves when it has ended. */
  async stop(graceMs: number): Promise<Stop> {
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
