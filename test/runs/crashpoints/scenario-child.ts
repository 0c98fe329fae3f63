import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScenarioCommand, ScenarioReport } from './child-messages.ts';

const file = new URL('./scenario-process.ts', import.meta.url);
/** The folder of Node's compile cache for all child processes, which run the same files. */
const compileCache = mkdtempSync(join(tmpdir(), 'holdfast-crashpoints-'));
process.once('exit', () => rmSync(compileCache, { recursive: true, force: true }));
/** A child process that has not done a command after this time counts as stuck. */
const answerWithinMs = 60_000;

/** A process that runs or recovers scenarios, as its parent sees it. */
export class ScenarioChild {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #ready: Promise<unknown>;
  #onReport: (report: ScenarioReport) => void = () => {};
  #onDeath: (error: Error) => void = () => {};
  #dead = false;

  constructor() {
    const env = { ...process.env, NODE_COMPILE_CACHE: compileCache };
    this.#process = fork(file, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env });
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => {
        this.#dead = true;
        this.#onDeath(new Error('the child has exited'));
        resolve();
      });
    });
    this.#process.on('message', (report) => this.#onReport(report as ScenarioReport));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ready = promise;
    this.#onReport = () => resolve();
  }

  get dead(): boolean {
    return this.#dead;
  }

  /**
   * Sends a command to the child process and passes every report to `onReport` until `onReport` returns true. Rejects
   * if the process exits before that, or takes longer than 60 s.
   */
  async perform(
    command: ScenarioCommand,
    onReport: (report: ScenarioReport, answer: (command: ScenarioCommand) => void) => boolean,
  ): Promise<void> {
    await this.#ready;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('the child does not answer')), answerWithinMs);
    this.#onDeath = reject;
    this.#onReport = (report) => {
      if (onReport(report, (answer) => this.#send(answer))) resolve();
    };
    if (this.#dead) reject(new Error('the child has exited'));
    else this.#send(command);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#onDeath = () => {};
    }
  }

  #send(command: ScenarioCommand): void {
    if (!this.#dead && this.#process.connected) this.#process.send(command, () => {});
  }

  /** Sends SIGKILL and resolves when the process has exited. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}
