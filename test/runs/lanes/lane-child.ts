/** A child process of a run of `npm run lanes`, started from a file in this folder. */
import { type ChildProcess, fork } from 'node:child_process';
import type { LaneAddress, LaneCommand, LaneReport } from './process-messages.ts';

/** The folder of Node's compile cache, which halves the start time of each process. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

export class LaneChild {
  readonly name: string;
  /** Resolves when the process is ready, with the port on which it listens, if any. */
  readonly ready: Promise<number | undefined>;
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  #expected = false;

  constructor(
    name: string,
    file: string,
    address: LaneAddress,
    args: readonly string[],
    onReport: (report: LaneReport) => void,
  ) {
    this.name = name;
    const ready = Promise.withResolvers<number | undefined>();
    this.ready = ready.promise;
    // The run gets the same error as a report, so a rejection that nobody awaits is ignored.
    this.ready.catch(() => {});
    const env = { HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...process.env };
    this.#process = fork(new URL(file, import.meta.url), [JSON.stringify(address), ...args], {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (report: LaneReport) => {
      if (report.kind === 'ready') ready.resolve(report.port);
      else onReport(report);
    });
    this.#gone = new Promise((resolve) => this.#process.once('exit', () => resolve()));
    this.#process.once('exit', (status) => {
      if (this.#expected) return;
      const message = `${name} ended by itself with status ${status}`;
      ready.reject(new Error(message));
      onReport({ kind: 'failed', message });
    });
  }

  send(message: LaneCommand): void {
    this.#process.send(message);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#expected = true;
    this.#process.kill(signal);
    await this.#gone;
  }
}
