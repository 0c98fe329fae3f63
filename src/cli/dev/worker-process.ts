/** One process of the worker, from its start to its end. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { FromWorker, ToWorker } from './messages.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It said that it cannot work. */
  readonly failure: { readonly message: string; readonly help: string } | undefined;
}

export interface WorkerProcessOptions {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where its standard output goes. */
  readonly stdout: 1 | 2;
  readonly told: (message: FromWorker) => void;
  /** Its thread has not answered for so long (ms). Told once for each silence. */
  readonly silent: (ms: number) => void;
}

const main = join(import.meta.dirname, `worker-main${extname(import.meta.filename)}`);
const askEveryMs = 2_000;
const silentMs = 5_000;
/** After its limit: for handlers that heed their signal, and for the last settlements. */
const graceMs = 3_000;
/** For a process that said that it ends. */
const endMs = 1_000;

export class WorkerProcess {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  #failure: Ended['failure'];
  #receivedAtMs = performance.now();
  #toldSilent = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.#child = fork(main, [options.file], {
      env: options.env,
      execArgv: process.execArgv.filter((flag) => !/^--(inspect|max-semi-space-size)/.test(flag)),
      stdio: ['ignore', options.stdout, 2, 'ipc'],
    });
    this.#child.on('message', (message: FromWorker) => this.#receiveMessage(message));
    // A process that could not be started or told something ends, which `exit` says.
    this.#child.on('error', () => {});
    const asking = setInterval(() => this.#ask(), askEveryMs);
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    const kill = (): void => this.kill();
    process.once('exit', kill);
    // `close` and not `exit`: it comes after the last message.
    this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      clearInterval(asking);
      process.off('exit', kill);
      resolve({ code, signal, failure: this.#failure });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it has ended: by itself within the limit and a grace, else killed. */
  async drain(limitMs: number): Promise<Ended> {
    this.#send({ kind: 'drain', limitMs });
    // One that did not answer for long hears of no limit either.
    const late = setTimeout(() => this.kill(), this.#silence > silentMs ? endMs : limitMs + graceMs);
    const ended = await this.ended;
    clearTimeout(late);
    return ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  get #silence(): number {
    return performance.now() - this.#receivedAtMs;
  }

  #receiveMessage(message: FromWorker): void {
    this.#receivedAtMs = performance.now();
    this.#toldSilent = false;
    if (message.kind === 'failed') {
      this.#failure = message;
      setTimeout(() => this.kill(), endMs).unref();
    }
    this.#options.told(message);
  }

  #ask(): void {
    if (this.#silence > silentMs && !this.#toldSilent) {
      this.#toldSilent = true;
      this.#options.silent(this.#silence);
    }
    this.#send({ kind: 'awake?' });
  }

  #send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}
