/** The processes of a run: each on a file beside this. */
import { type ChildProcess, fork } from 'node:child_process';
import type { FromChild, Place, ToChild } from './process-messages.ts';

/** Halves the start of each. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

export class Child {
  readonly name: string;
  /** Resolves with the port that it listens on, if it does. */
  readonly ready: Promise<number | undefined>;
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  #expected = false;

  constructor(
    name: string,
    file: string,
    place: Place,
    args: readonly string[],
    receiveMessage: (told: FromChild) => void,
  ) {
    this.name = name;
    const ready = Promise.withResolvers<number | undefined>();
    this.ready = ready.promise;
    // Whoever waits for it gets the error; the run is told of it too.
    this.ready.catch(() => {});
    const env = { HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...process.env };
    this.#process = fork(new URL(file, import.meta.url), [JSON.stringify(place), ...args], {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (told: FromChild) => {
      if (told.kind === 'ready') ready.resolve(told.port);
      else receiveMessage(told);
    });
    this.#gone = new Promise((resolve) => this.#process.once('exit', () => resolve()));
    this.#process.once('exit', (status) => {
      if (this.#expected) return;
      const message = `${name} ended by itself with status ${status}`;
      ready.reject(new Error(message));
      receiveMessage({ kind: 'failed', message });
    });
  }

  tell(message: ToChild): void {
    this.#process.send(message);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#expected = true;
    this.#process.kill(signal);
    await this.#gone;
  }
}
