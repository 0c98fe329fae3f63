/** The worker's process of `holdfast dev`, as its parent process sees it, and the messages between both processes. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import { timing } from '../../core/limits.ts';

/** A task type of the worker, and the queue to which a submission of it goes. */
export interface HandledTask {
  readonly type: string;
  readonly queue: string;
}

/** A message of the worker's process to `holdfast dev`. */
export type WorkerReport =
  /** The worker process is about to read this file. The fingerprint changes when the file is changed. */
  | { readonly kind: 'loads'; readonly file: string; readonly fingerprint: string }
  | {
      readonly kind: 'working';
      /** The task types that the worker handles, each with the queue of its contract. */
      readonly handled: readonly HandledTask[];
      readonly queues: readonly string[];
      /** The name of the worker in the events of its tasks. */
      readonly name: string;
    }
  /** The worker process cannot run the worker, and ends. */
  | { readonly kind: 'failed'; readonly message: string; readonly help: string }
  | { readonly kind: 'pong' };

/** A message of `holdfast dev` to the worker's process. */
export type WorkerCommand =
  /** Tells the worker process to take no more tasks, to let running ones finish within the limit, and to end. */
  { readonly kind: 'drain'; readonly limitMs: number } | { readonly kind: 'ping' };

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The error by which the worker process reported that it could not run the worker. */
  readonly failure: { readonly message: string; readonly help: string } | undefined;
}

export interface WorkerProcessOptions {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** The file descriptor that receives the standard output of the worker process. */
  readonly stdout: 1 | 2;
  readonly onReport: (report: WorkerReport) => void;
  /** Called once each time the worker process stops answering, with the time since its last message (ms). */
  readonly onUnresponsive: (ms: number) => void;
}

const main = join(import.meta.dirname, `worker-main${extname(import.meta.filename)}`);
const pingEveryMs = 2_000;
/** A worker process that has sent no message for this time counts as unresponsive. */
const unresponsiveMs = 5_000;
/** The time in which a worker process that reported a failure, or that does not answer, may end before it is killed. */
const endMs = 1_000;

export class WorkerProcess {
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  #failure: ProcessEnd['failure'];
  #receivedAtMs = performance.now();
  #isUnresponsive = false;
  #isDraining = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.#child = fork(main, [options.file], {
      env: options.env,
      execArgv: process.execArgv.filter((flag) => !/^--(inspect|max-semi-space-size)/.test(flag)),
      stdio: ['ignore', options.stdout, 2, 'ipc'],
    });
    this.#child.on('message', (report: WorkerReport) => this.#receive(report));
    // If the process cannot be started or a message to it fails, the process ends too, and the `close` listener below
    // handles its end.
    this.#child.on('error', () => {});
    const pinging = setInterval(() => this.#ping(), pingEveryMs);
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    this.ended = promise;
    const kill = (): void => this.kill();
    process.once('exit', kill);
    // The event `close` comes after the last message; `exit` may come before it.
    this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      clearInterval(pinging);
      process.off('exit', kill);
      resolve({ code, signal, failure: this.#failure });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Tells the worker process to drain, and resolves when it has ended. The process is killed if it does not end within
   * 1 s after the limit, or if it becomes unresponsive before.
   */
  async drain(limitMs: number): Promise<ProcessEnd> {
    this.#isDraining = true;
    this.#send({ kind: 'drain', limitMs });
    // An unresponsive process does not read the drain command either, so it gets no time to finish its tasks.
    const late = setTimeout(
      () => this.kill(),
      this.#sinceReportMs > unresponsiveMs ? endMs : limitMs + timing.drainEndMs,
    );
    const end = await this.ended;
    clearTimeout(late);
    return end;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  get #sinceReportMs(): number {
    return performance.now() - this.#receivedAtMs;
  }

  #receive(report: WorkerReport): void {
    this.#receivedAtMs = performance.now();
    this.#isUnresponsive = false;
    if (report.kind === 'failed') {
      this.#failure = report;
      setTimeout(() => this.kill(), endMs).unref();
    }
    this.#options.onReport(report);
  }

  #ping(): void {
    if (this.#sinceReportMs > unresponsiveMs && !this.#isUnresponsive) {
      this.#isUnresponsive = true;
      if (this.#isDraining) this.kill();
      else this.#options.onUnresponsive(this.#sinceReportMs);
    }
    this.#send({ kind: 'ping' });
  }

  #send(command: WorkerCommand): void {
    if (this.#child.connected) this.#child.send(command, () => {});
  }
}
