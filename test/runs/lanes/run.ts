/** One run: work in many lanes through several processes, a node and a worker killed in the middle, then the audit. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskStore } from '../../../src/ports/task-store.ts';
import { openLanes, readTasks } from './audit.ts';
import { laneName, longLane } from './contract.ts';
import type { TaskRecord } from './judge.ts';
import { openSite } from './lane-stand-ins.ts';
import type { Begun } from './ledger.ts';
import { clockOf, engineOf } from './open-lane-node.ts';
import type { Acknowledged } from './process-messages.ts';
import { type Cast, Processes } from './processes.ts';

const killNodeAt = 0.4;
const killWorkerAt = 0.5;
/** More than a third of these has ended before: one task in twenty is cancelled. */
const cancelled = 0.08;
const lookMs = 200;
/** Asking each lane whether it is over costs a read. */
const endLookMs = 1_000;
const tellEveryMs = 5_000;

export interface RunOptions {
  readonly cast: Cast;
  readonly lanes: number;
  readonly tasksPerLane: number;
  /** Tasks that wait in one lane beside the others. */
  readonly longTasks: number;
  /** The most that all submitters submit. */
  readonly perSecond: number;
  /** So many tasks may be unfinished at once: what waits longer says nothing of how soon a task starts. */
  readonly window: number;
  readonly seed: number;
  readonly speed: number;
  /** The run is ended then, whatever is left. */
  readonly limitMs: number;
  readonly progress: (line: string) => void;
}

export interface RunOutcome {
  readonly tasks: readonly TaskRecord[];
  readonly acknowledged: readonly Acknowledged[];
  readonly begun: readonly Begun[];
  /** Of the lanes that were to end. */
  readonly openLanes: readonly string[];
  /** Attempts that hung in the killed worker when it was killed. */
  readonly heldAtKill: number;
  readonly longSeconds: number;
  readonly seconds: number;
}

/** Kills when so much was acknowledged, and says how far it is. */
class Course {
  readonly #options: RunOptions;
  readonly #processes: Processes;
  readonly #beganAtMs = performance.now();
  #toldAtMs = performance.now();
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

  async look(done: number, all: number, what: string): Promise<void> {
    const { failure } = this.#processes;
    if (failure !== undefined) throw new Error(failure);
    if (performance.now() - this.#toldAtMs > tellEveryMs) {
      this.#toldAtMs = performance.now();
      const { succeeded } = this.#processes;
      this.#options.progress(`${Math.round(this.seconds)} s: ${what} ${done}/${all}, ${succeeded} succeeded`);
    }
    await sleep(lookMs);
  }

  async killWhereDue(share: number): Promise<void> {
    while ((this.#kills[0]?.at ?? Number.POSITIVE_INFINITY) <= share) await this.#kills.shift()?.kill();
  }
}

async function waitInLongLane(processes: Processes, course: Course, longTasks: number): Promise<number> {
  if (longTasks === 0) return 0;
  const beganS = course.seconds;
  const unlimited = Number.MAX_SAFE_INTEGER;
  const lanes = [longLane];
  processes.submit({ lanes, tasksPerLane: longTasks, perSecond: unlimited, window: unlimited, cancelled: 0 });
  while (!processes.allSubmitted && !course.isOver) {
    await course.look(processes.acknowledged.length, longTasks, 'waiting in the long lane');
  }
  return course.seconds - beganS;
}

async function throughLanes(options: RunOptions, processes: Processes, course: Course, store: TaskStore) {
  const { lanes, tasksPerLane, perSecond, window } = options;
  const names = Array.from({ length: lanes }, (_, i) => laneName(i));
  const all = lanes * tasksPerLane;
  const before = processes.acknowledged.length;
  processes.submit({ lanes: names, tasksPerLane, perSecond, window, cancelled });
  while (!processes.allSubmitted && !course.isOver) {
    const done = processes.acknowledged.length - before;
    await course.killWhereDue(done / all);
    await course.look(done, all, 'submitted');
  }
  await course.killWhereDue(1);
  let open: readonly string[] = names;
  while (open.length > 0 && !course.isOver) {
    await sleep(endLookMs);
    open = await openLanes(store, open);
    await course.look(lanes - open.length, lanes, 'lanes ended');
  }
  return open;
}

export async function runLanes(options: RunOptions): Promise<RunOutcome> {
  const site = await openSite(options.seed, options.speed);
  const processes = new Processes(options.cast, site.place);
  const clock = clockOf(site.place);
  const engine = engineOf(site.place, clock);
  try {
    await processes.start();
    const course = new Course(options, processes);
    const longSeconds = await waitInLongLane(processes, course, options.longTasks);
    const open = await throughLanes(options, processes, course, engine.store);
    const seconds = course.seconds - longSeconds;
    const begun = processes.begun();
    await processes.close();
    const { acknowledged, held } = processes;
    const tasks = await readTasks(engine.store, acknowledged, clock.now());
    return { tasks, acknowledged, begun, openLanes: open, heldAtKill: held, longSeconds, seconds };
  } finally {
    await processes.close();
    await engine.close();
    await site.close();
  }
}
