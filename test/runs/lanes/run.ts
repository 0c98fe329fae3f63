/**
 * One run of `npm run lanes`: several processes work through many lanes, a node and a worker are killed on the way,
 * then the tasks are read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskStore } from '../../../src/ports/task-store.ts';
import { openLanes, readTasks } from './audit.ts';
import { laneName, longLane } from './contract.ts';
import type { TaskRecord } from './judge.ts';
import { startLaneStandIns } from './lane-stand-ins.ts';
import type { AttemptRecord } from './ledger.ts';
import { clockOf, engineOf } from './open-lane-node.ts';
import type { Acknowledgement } from './process-messages.ts';
import { Processes, type ProcessSetup } from './processes.ts';

const killNodeAt = 0.4;
const killWorkerAt = 0.5;
/**
 * The share of tasks whose submitter cancels them. More than a third of these tasks end before the cancellation, so one
 * task in twenty ends as cancelled.
 */
const cancelled = 0.08;
const checkEveryMs = 200;
/** The interval of the checks whether a lane has ended, which cost one read for each lane. */
const endCheckEveryMs = 1_000;
const printEveryMs = 5_000;

export interface RunOptions {
  readonly setup: ProcessSetup;
  readonly lanes: number;
  readonly tasksPerLane: number;
  /** The number of tasks in the long lane. */
  readonly longTasks: number;
  /** The largest number of tasks that all submitters together submit in a second. */
  readonly perSecond: number;
  /**
   * The largest number of tasks that may be unfinished at once. A long backlog would hide how soon a task can start.
   */
  readonly window: number;
  readonly seed: number;
  readonly speed: number;
  /** The time after which the run ends, even if tasks are left. */
  readonly limitMs: number;
  readonly progress: (line: string) => void;
}

export interface RunOutcome {
  readonly tasks: readonly TaskRecord[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly begun: readonly AttemptRecord[];
  /** The lanes that had not ended at the end of the run. */
  readonly openLanes: readonly string[];
  /** The attempts that the killed worker held when it was killed. */
  readonly heldAtKill: number;
  readonly longSeconds: number;
  readonly seconds: number;
}

/**
 * Follows a run of `npm run lanes`: kills a node and a worker when enough tasks are acknowledged, prints the progress,
 * and watches the time limit.
 */
class RunProgress {
  readonly #options: RunOptions;
  readonly #processes: Processes;
  readonly #beganAtMs = performance.now();
  #printedAtMs = performance.now();
  readonly #kills: { readonly at: number; kill(): Promise<void> }[];

  constructor(options: RunOptions, processes: Processes) {
    this.#options = options;
    this.#processes = processes;
    this.#kills = [
      { at: killNodeAt, kill: () => processes.killNode() },
      { at: killWorkerAt, kill: () => processes.killWorker() },
    ];
  }

  get seconds(): number {
    return (performance.now() - this.#beganAtMs) / 1_000;
  }

  get isOver(): boolean {
    return this.seconds * 1_000 > this.#options.limitMs;
  }

  async check(done: number, all: number, label: string): Promise<void> {
    const { failure } = this.#processes;
    if (failure !== undefined) throw new Error(failure);
    if (performance.now() - this.#printedAtMs > printEveryMs) {
      this.#printedAtMs = performance.now();
      const { succeeded } = this.#processes;
      this.#options.progress(
        `${Math.round(this.seconds)} s: ${label} ${done}/${all}, ${succeeded} succeeded`,
      );
    }
    await sleep(checkEveryMs);
  }

  async killWhereDue(share: number): Promise<void> {
    while ((this.#kills[0]?.at ?? Number.POSITIVE_INFINITY) <= share) await this.#kills.shift()?.kill();
  }
}

async function fillLongLane(processes: Processes, progress: RunProgress, longTasks: number): Promise<number> {
  if (longTasks === 0) return 0;
  const beganS = progress.seconds;
  const unlimited = Number.MAX_SAFE_INTEGER;
  const lanes = [longLane];
  processes.submit({ lanes, tasksPerLane: longTasks, perSecond: unlimited, window: unlimited, cancelled: 0 });
  while (!processes.allSubmitted && !progress.isOver) {
    await progress.check(processes.acknowledged.length, longTasks, 'waiting in the long lane');
  }
  return progress.seconds - beganS;
}

async function runThroughLanes(
  options: RunOptions,
  processes: Processes,
  progress: RunProgress,
  store: TaskStore,
) {
  const { lanes, tasksPerLane, perSecond, window } = options;
  const names = Array.from({ length: lanes }, (_, i) => laneName(i));
  const all = lanes * tasksPerLane;
  const before = processes.acknowledged.length;
  processes.submit({ lanes: names, tasksPerLane, perSecond, window, cancelled });
  while (!processes.allSubmitted && !progress.isOver) {
    const done = processes.acknowledged.length - before;
    await progress.killWhereDue(done / all);
    await progress.check(done, all, 'submitted');
  }
  await progress.killWhereDue(1);
  let open: readonly string[] = names;
  while (open.length > 0 && !progress.isOver) {
    await sleep(endCheckEveryMs);
    open = await openLanes(store, open);
    await progress.check(lanes - open.length, lanes, 'lanes ended');
  }
  return open;
}

export async function runLanes(options: RunOptions): Promise<RunOutcome> {
  const standIns = await startLaneStandIns(options.seed, options.speed);
  const processes = new Processes(options.setup, standIns.store);
  const clock = clockOf(standIns.store);
  const engine = engineOf(standIns.store, clock);
  try {
    await processes.start();
    const progress = new RunProgress(options, processes);
    const longSeconds = await fillLongLane(processes, progress, options.longTasks);
    const open = await runThroughLanes(options, processes, progress, engine.store);
    const seconds = progress.seconds - longSeconds;
    const begun = processes.attempts();
    await processes.close();
    const { acknowledged, held } = processes;
    const tasks = await readTasks(engine.store, acknowledged, clock.now());
    return { tasks, acknowledged, begun, openLanes: open, heldAtKill: held, longSeconds, seconds };
  } finally {
    await processes.close();
    await engine.close();
    await standIns.close();
  }
}
