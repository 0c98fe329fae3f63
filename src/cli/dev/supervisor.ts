/** Keeps the user's worker running while they edit it: starts it, starts it anew after a save or an end of its own. */
import { shown } from '../module/find.ts';
import type { FromWorker } from './messages.ts';
import { printOf } from './print.ts';
import { FileWatch } from './watch.ts';
import { type Ended, WorkerProcess } from './worker-process.ts';

export interface SupervisorOptions {
  /** The module, as an absolute path. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: 1 | 2;
  /** A line for whoever sits before it. */
  readonly say: (text: string) => void;
  readonly failed: (message: string, help: string) => void;
  /** Each time that it works. */
  readonly working: (types: readonly string[], queues: readonly string[], pid: number | undefined) => void;
}

/** What runs when a file is saved may take so long to finish; what does not is given back and run by the new one. */
const reloadMs = 5_000;
const backoffMs = { least: 1_000, most: 30_000 } as const;
/** After so long at work an end, or a save, counts as the first one again. */
const steadyMs = { ended: 30_000, saved: 1_000 } as const;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watch: FileWatch;
  readonly #done: Promise<void>;
  #process: WorkerProcess | undefined;
  #stopLimitMs: number | undefined;
  #changed: string | undefined;
  #wake: () => void = () => {};
  #waitMs: number = backoffMs.least;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#watch = new FileWatch((file) => {
      this.#changed = file;
      this.#wake();
    });
    this.#done = this.#run();
  }

  /** Lets what runs finish within the limit, then ends the process. */
  async stop(limitMs: number): Promise<void> {
    this.#stopLimitMs = limitMs;
    this.#wake();
    await this.#done;
    this.#watch.close();
  }

  async #run(): Promise<void> {
    while (this.#stopLimitMs === undefined) {
      const startedAtMs = performance.now();
      const worker = this.#start();
      const ended = await this.#untilEndOr(worker.ended);
      const livedMs = performance.now() - startedAtMs;
      if (this.#stopLimitMs !== undefined) await worker.drain(this.#stopLimitMs);
      else if (ended === undefined) await this.#reload(worker, livedMs);
      else await this.#afterEnd(ended, livedMs);
    }
  }

  #start(): WorkerProcess {
    this.#changed = undefined;
    const { file, env, stdout } = this.#options;
    this.#watch.clear();
    this.#watch.add(file, printOf(file));
    this.#process = new WorkerProcess({
      file,
      env,
      stdout,
      told: (message) => this.#told(message),
      silent: (ms) =>
        this.#options.say(
          `The worker has not answered for ${Math.round(ms / 1_000)} s: a handler keeps its thread busy (an endless loop?). Save a file to start it anew.`,
        ),
    });
    return this.#process;
  }

  #told(message: FromWorker): void {
    if (message.kind === 'uses') this.#watch.add(message.file, message.print);
    if (message.kind === 'working') this.#options.working(message.types, message.queues, this.#process?.pid);
  }

  async #reload(worker: WorkerProcess, livedMs: number): Promise<void> {
    this.#options.say(`${shown(this.#changed ?? '')} changed: starting the worker anew`);
    await worker.drain(reloadMs);
    // A worker that writes what it imports would else start for ever.
    if (livedMs < steadyMs.saved) await this.#backOff();
    else this.#waitMs = backoffMs.least;
  }

  async #afterEnd({ code, signal, failure }: Ended, livedMs: number): Promise<void> {
    if (failure !== undefined) {
      this.#options.failed(failure.message, `${failure.help}\n  Waiting for the next save.`);
      await this.#untilEndOr(never);
      return;
    }
    if (livedMs > steadyMs.ended) this.#waitMs = backoffMs.least;
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const seconds = this.#waitMs / 1_000;
    this.#options.failed(
      `The worker ended by itself, ${how}.`,
      `What it ran will be run again. Starting it anew in ${seconds} s, or at the next save.`,
    );
    await this.#backOff();
  }

  /** Waits longer each time, but for a save or a stop not at all. */
  async #backOff(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#waitMs);
    this.#changed = undefined;
    await this.#untilEndOr(promise);
    clearTimeout(timer);
    this.#waitMs = Math.min(this.#waitMs * 2, backoffMs.most);
  }

  /** The promise's value, or undefined where a change or a stop came first. */
  #untilEndOr<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#changed !== undefined || this.#stopLimitMs !== undefined) resolve(undefined);
      };
      this.#wake = look;
      look();
      void promise.then(resolve);
    });
  }
}

const never = new Promise<never>(() => {});
