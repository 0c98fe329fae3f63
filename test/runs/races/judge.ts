import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, hasSingleWinner, type Lost, type Race, type Told } from './race.ts';

/** A claimer that does not answer, or a loser that nothing was told of, is waited for so long. */
const patienceMs = 2_000;

interface Open {
  readonly taskId: string;
  readonly winners: string[];
  readonly lost: Lost[];
  answered: number;
  settled: boolean;
  readonly over: () => void;
}

/** After so many without a single winner there is nothing more to learn. */
const enoughFailures = 20;

export interface Next {
  readonly taskId: string;
  /** What the claimers are told. */
  readonly message: unknown;
}

/** Gathers what all processes tell of the race that is on. */
export class Judge {
  readonly #claimers: number;
  #open: Open | undefined;

  constructor(claimers: number) {
    this.#claimers = claimers;
  }

  receiveMessage(from: string, told: Told): void {
    const open = this.#open;
    if (open === undefined || told.kind === 'ready' || told.taskId !== open.taskId) return;
    if (told.kind === 'lost') open.lost.push(told);
    else {
      open.answered++;
      if (told.won) open.winners.push(from);
      if (told.settled) open.settled = true;
    }
    if (open.answered === this.#claimers && open.lost.length >= this.#claimers - 1) open.over();
  }

  /** `next` makes a task and says by which message the claimers are set off for it. */
  async races(
    count: number,
    claimers: readonly Child[],
    next: (i: number) => Promise<Next>,
  ): Promise<Race[]> {
    const races: Race[] = [];
    let failures = 0;
    while (races.length < count && failures < enoughFailures) {
      const { taskId, message } = await next(races.length);
      const race = await this.#race(taskId, () => {
        for (const one of claimers) one.tell(message);
      });
      races.push(race);
      if (!hasSingleWinner(race)) failures++;
    }
    return races;
  }

  async #race(taskId: string, start: () => void): Promise<Race> {
    const { promise, resolve: over } = Promise.withResolvers<void>();
    this.#open = { taskId, winners: [], lost: [], answered: 0, settled: false, over };
    start();
    await Promise.race([promise, sleep(patienceMs, undefined, { ref: false })]);
    const { winners, lost, settled } = this.#open;
    this.#open = undefined;
    return { taskId, winners, lost, settled };
  }
}

/** Resolves when each of them has told that it is ready. */
export class Readiness {
  #left: number;
  readonly #resolve: () => void;
  readonly ready: Promise<void>;

  constructor(count: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#left = count;
    this.#resolve = resolve;
    this.ready = promise;
  }

  receiveMessage(told: Told): void {
    if (told.kind === 'ready' && --this.#left === 0) this.#resolve();
  }
}
