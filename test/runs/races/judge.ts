import { setTimeout as sleep } from 'node:timers/promises';
import { hasSingleWinner, type LossReport, type Race, type RaceChild, type RaceReport } from './race.ts';

/** The time for which a race waits for the answer of a claimer or for the error of a loser. */
const answerWithinMs = 2_000;

interface OpenRace {
  readonly taskId: string;
  readonly winners: string[];
  readonly lost: LossReport[];
  answered: number;
  settled: boolean;
  readonly over: () => void;
}

/**
 * The run ends early after this many failed races. A race fails unless exactly one process wins and settles the task.
 */
const enoughFailures = 20;

export interface NextRace {
  readonly taskId: string;
  /** The message that starts the claimers. */
  readonly message: unknown;
}

/** Collects the reports of all processes about the current claim race. */
export class Judge {
  readonly #claimers: number;
  #open: OpenRace | undefined;

  constructor(claimers: number) {
    this.#claimers = claimers;
  }

  receive(from: string, report: RaceReport): void {
    const open = this.#open;
    if (open === undefined || report.kind === 'ready' || report.taskId !== open.taskId) return;
    if (report.kind === 'lost') open.lost.push(report);
    else {
      open.answered++;
      if (report.won) open.winners.push(from);
      if (report.settled) open.settled = true;
    }
    if (open.answered === this.#claimers && open.lost.length >= this.#claimers - 1) open.over();
  }

  /** Runs one claim race after the other. `next` submits a task and returns the message that starts the claimers. */
  async races(
    count: number,
    claimers: readonly RaceChild[],
    next: (i: number) => Promise<NextRace>,
  ): Promise<Race[]> {
    const races: Race[] = [];
    let failures = 0;
    while (races.length < count && failures < enoughFailures) {
      const { taskId, message } = await next(races.length);
      const race = await this.#race(taskId, () => {
        for (const one of claimers) one.send(message);
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
    await Promise.race([promise, sleep(answerWithinMs, undefined, { ref: false })]);
    const { winners, lost, settled } = this.#open;
    this.#open = undefined;
    return { taskId, winners, lost, settled };
  }
}

/** Resolves `ready` when all processes have reported that they are ready. */
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

  receive(report: RaceReport): void {
    if (report.kind === 'ready' && --this.#left === 0) this.#resolve();
  }
}
