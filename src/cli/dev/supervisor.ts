/** Runs the user's worker during development, and restarts it after a save or after it ended by itself. */
import { nextDelayMs } from '../../core/backoff.ts';
import { shortPath } from '../module/find.ts';
import { FileWatch, fingerprintOf } from './file-watch.ts';
import type { EndedWorker } from './lost-tasks.ts';
import { type HandledTask, type ProcessEnd, WorkerProcess, type WorkerReport } from './worker-process.ts';

export interface SupervisorOptions {
  /** The absolute path of the worker's module. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: 1 | 2;
  /** Prints one line for the developer. */
  readonly print: (text: string) => void;
  readonly printFailure: (message: string, help: string) => void;
  /** Returns a sentence that names the tasks which ran in a process that ended by itself. */
  readonly lostTasks: (worker: EndedWorker) => Promise<string>;
  /** Called each time a process of the worker has connected and takes tasks. */
  readonly onWorking: (
    handled: readonly HandledTask[],
    queues: readonly string[],
    pid: number | undefined,
  ) => void;
}

/**
 * The time in which running tasks may finish before the worker is restarted. Tasks that are still running then are
 * released, and the new process runs them.
 */
const reloadMs = 5_000;
const restartBackoff = { firstMs: 1_000, longestMs: 30_000 } as const;
/**
 * If a worker ran for this time in ms before it ended by itself, or before a save restarted it, the restart backoff
 * starts from its shortest value.
 */
const steadyMs = { ended: 30_000, saved: 1_000 } as const;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watch: FileWatch;
  readonly #done: Promise<void>;
  #process: WorkerProcess | undefined;
  /** The worker of the current process, once it takes tasks. */
  #worker: EndedWorker | undefined;
  #startedAtMs = 0;
  #stopLimitMs: number | undefined;
  #changedFile: string | undefined;
  #wake: () => void = () => {};
  #waitMs: number = restartBackoff.firstMs;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#watch = new FileWatch((file) => {
      this.#changedFile = file;
      this.#wake();
    });
    this.#done = this.#run();
  }

  /** Lets running tasks finish within the limit, then ends the worker process. */
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
      const end = await this.#unlessInterrupted(worker.ended);
      const livedMs = performance.now() - startedAtMs;
      if (this.#stopLimitMs !== undefined) await worker.drain(this.#stopLimitMs);
      else if (end === undefined) await this.#reload(worker, livedMs);
      else await this.#afterEnd(end, livedMs);
    }
  }

  #start(): WorkerProcess {
    this.#changedFile = undefined;
    this.#worker = undefined;
    this.#startedAtMs = Date.now();
    const { file, env, stdout } = this.#options;
    this.#watch.clear();
    this.#watch.add(file, fingerprintOf(file));
    this.#process = new WorkerProcess({
      file,
      env,
      stdout,
      onReport: (report) => this.#receive(report),
      onUnresponsive: (ms) =>
        this.#options.print(
          `The worker has not answered for ${Math.round(ms / 1_000)} s: a handler keeps its thread busy (an endless loop?). Save a file to restart it.`,
        ),
    });
    return this.#process;
  }

  #receive(report: WorkerReport): void {
    if (report.kind === 'loads') this.#watch.add(report.file, report.fingerprint);
    if (report.kind !== 'working') return;
    const { name, handled, queues } = report;
    this.#worker = { name, queues, startedAtMs: this.#startedAtMs };
    this.#options.onWorking(handled, queues, this.#process?.pid);
  }

  async #reload(worker: WorkerProcess, livedMs: number): Promise<void> {
    this.#options.print(`${shortPath(this.#changedFile ?? '')} changed: restarting the worker`);
    await worker.drain(reloadMs);
    // Without a backoff, a worker that writes to a file which it imports would restart in an endless loop.
    if (livedMs < steadyMs.saved) await this.#backOff();
    else this.#waitMs = restartBackoff.firstMs;
  }

  async #afterEnd({ code, signal, failure }: ProcessEnd, livedMs: number): Promise<void> {
    if (failure !== undefined) {
      this.#options.printFailure(failure.message, `${failure.help}\n  Waiting for the next save.`);
      await this.#unlessInterrupted(never);
      return;
    }
    if (livedMs > steadyMs.ended) this.#waitMs = restartBackoff.firstMs;
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const seconds = this.#waitMs / 1_000;
    const ran = this.#worker === undefined ? '' : `${await this.#options.lostTasks(this.#worker)} `;
    this.#options.printFailure(
      `The worker ended by itself, ${how}.`,
      `${ran}Its unfinished tasks will run again, except those that may begin only once. Restarting it in ${seconds} s, or at the next save.`,
    );
    await this.#backOff();
  }

  /** Waits for the restart backoff, and doubles it for the next restart. A save or a stop ends the wait at once. */
  async #backOff(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#waitMs);
    this.#changedFile = undefined;
    await this.#unlessInterrupted(promise);
    clearTimeout(timer);
    this.#waitMs = nextDelayMs(restartBackoff, this.#waitMs);
  }

  /** Resolves with the promise's value, or with undefined if a file changes or `stop` is called first. */
  #unlessInterrupted<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#changedFile !== undefined || this.#stopLimitMs !== undefined) resolve(undefined);
      };
      this.#wake = check;
      check();
      void promise.then(resolve);
    });
  }
}

const never = new Promise<never>(() => {});
