import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromChild, ToChild } from './child-messages.ts';

const file = new URL('./player-process.ts', import.meta.url);
/** Many are started of the same files, so that they are compiled once. */
const compiled = mkdtempSync(join(tmpdir(), 'holdfast-crashpoints-'));
process.once('exit', () => rmSync(compiled, { recursive: true, force: true }));
/** Nothing that a child is told to do takes so long. */
const patienceMs = 60_000;

/** A player's process, as its parent sees it. */
export class Child {
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #ready: Promise<unknown>;
  #receiveMessage: (told: FromChild) => void = () => {};
  #lost: (error: Error) => void = () => {};
  #dead = false;

  constructor() {
    const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
    this.#process = fork(file, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env });
    this.#gone = new Promise((resolve) => {
      this.#process.once('exit', () => {
        this.#dead = true;
        this.#lost(new Error('the child is gone'));
        resolve();
      });
    });
    this.#process.on('message', (told) => this.#receiveMessage(told as FromChild));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ready = promise;
    this.#receiveMessage = () => resolve();
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Tells it to do something; `hear` gets all that it says until it answers true. Rejects where it dies before. */
  async told(
    what: ToChild,
    receiveMessage: (told: FromChild, answer: (to: ToChild) => void) => boolean,
  ): Promise<void> {
    await this.#ready;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('the child does not answer')), patienceMs);
    this.#lost = reject;
    this.#receiveMessage = (told) => {
      if (receiveMessage(told, (to) => this.#send(to))) resolve();
    };
    if (this.#dead) reject(new Error('the child is gone'));
    else this.#send(what);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#lost = () => {};
    }
  }

  #send(what: ToChild): void {
    if (!this.#dead && this.#process.connected) this.#process.send(what, () => {});
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#gone;
  }
}
