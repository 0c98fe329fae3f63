/** A child process of a run, in whatever language. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How long a process took to end, and whether that was within its grace. */
export interface Stop {
  readonly ms: number;
  readonly inTime: boolean;
}

/** A child process that prints one JSON object as the first line of its output, ends at SIGTERM and can be killed. */
export class RunProcess {
  readonly name: string;
  protected readonly process: ChildProcess;
  /** Resolves with the JSON object in the first line of the process's output. */
  readonly ready: Promise<Readonly<Record<string, unknown>>>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  #endedAtMs: number | undefined;

  constructor(name: string, process: ChildProcess) {
    this.name = name;
    this.process = process;
    this.ended = new Promise((resolve) => {
      process.once('exit', () => {
        this.#endedAtMs = Date.now();
        resolve();
      });
    });
    this.ready = this.#firstLine();
    // A process that ends before it is ready also resolves `ended`, so a rejection that nobody awaits is ignored.
    this.ready.catch(() => {});
  }

  async #firstLine(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = this.process;
    if (stdout === null) throw new Error(`${this.name} has no output`);
    const first = await Promise.race([once(stdout, 'data'), this.ended.then(() => undefined)]);
    stdout.resume();
    if (first === undefined) throw new Error(`${this.name} ended with ${this.status}`);
    const line = JSON.parse(String(first[0])) as Readonly<Record<string, unknown>>;
    if ('error' in line) throw new Error(`${this.name} failed: ${JSON.stringify(line.error)}`);
    return line;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get endedAtMs(): number | undefined {
    return this.#endedAtMs;
  }

  /** The exit status of the process, or the signal that ended it. Null while it lives. */
  get status(): number | NodeJS.Signals | null {
    return this.process.exitCode ?? this.process.signalCode;
  }

  /** Sends SIGTERM, and SIGKILL if the process has not ended after its grace. Resolves when it has ended. */
  async stop(graceMs: number): Promise<Stop> {
    const beganMs = performance.now();
    let inTime = true;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => {
      inTime = false;
      this.process.kill('SIGKILL');
    }, graceMs);
    await this.ended;
    clearTimeout(timer);
    return { ms: performance.now() - beganMs, inTime };
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
