/** The supervisor of the client processes of a run: it starts them, and starts one again that ended by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunProcess } from '../deploys/run-process.ts';
import type { Place } from './deployment.ts';
import type { Guard } from './guard.ts';

const restartAfterMs = 200;

/** One process at its place. */
export class Seat {
  readonly place: Place;
  readonly #guard: Guard;
  #process: RunProcess | undefined;
  #expected = true;
  /** True between SIGSTOP and SIGCONT. */
  isStopped = false;
  /** The number of times that the process ended without a signal of the run. */
  endedByItself = 0;

  constructor(place: Place, guard: Guard) {
    this.place = place;
    this.#guard = guard;
  }

  async start(): Promise<void> {
    const process = this.place.launch();
    this.#process = process;
    this.#expected = false;
    void process.ended.then(() => this.#ended(process));
    await process.ready;
  }

  async #ended(process: RunProcess): Promise<void> {
    if (process !== this.#process || this.#expected) return;
    this.endedByItself++;
    await sleep(restartAfterMs);
    if (!this.#expected && process === this.#process) await this.start().catch(() => {});
  }

  /** Kills the process, and starts it again after a time. */
  async kill(downMs: number): Promise<void> {
    await this.end();
    await sleep(downMs);
    await this.start();
  }

  /** Lets the process stand still for a time. */
  async freeze(ms: number): Promise<void> {
    const pid = this.#process?.pid ?? 0;
    this.isStopped = true;
    this.#guard.send({ kind: 'stop', pid });
    await sleep(ms);
    this.#guard.send({ kind: 'go', pid });
    this.isStopped = false;
  }

  /**
   * Stops the process by SIGTERM. Returns a sentence if it had to be killed after its grace, or if it ended with another
   * status than 0.
   */
  async stop(graceMs: number): Promise<string | undefined> {
    this.#expected = true;
    const process = this.#process;
    if (process === undefined) return undefined;
    const { inTime } = await process.stop(graceMs);
    if (!inTime) return `${this.place.name} was killed ${graceMs} ms after SIGTERM`;
    return process.status === 0 ? undefined : `${this.place.name} ended at SIGTERM with ${process.status}`;
  }

  async end(): Promise<void> {
    this.#expected = true;
    await this.#process?.kill();
  }
}
