import { setTimeout as sleep } from 'node:timers/promises';
import type { OverloadStandIns, Shortage } from './overload-stand-ins.ts';
import type { Processes } from './processes.ts';
import { type Cut, header, row, type Second } from './timeline.ts';

/** The largest number of unfinished tasks during the calibration. */
const mostLeft = 800;
/**
 * The first part of a calibration, as a share of its time, in which the processes warm up. This part is not measured.
 */
const warmingShare = 0.3;
/** A capacity in write units a second that no machine reaches. */
const unlimited = 1_000_000;
export const drainS = 90;
/** The time after which each process has sent at least one more load report. */
const reportAgeMs = 500;

export interface Calibration {
  readonly tasksPerS: number;
  /** The write units of the table for each task, without its indexes. */
  readonly writeUnitsPerTask: number;
}

/** Measures the highest rate of tasks: offers as many as possible for some seconds, then waits until they are done. */
export async function calibrate(
  standIns: OverloadStandIns,
  processes: Processes,
  seconds: number,
): Promise<Calibration> {
  await standIns.setCapacity(unlimited);
  const writeUnits = processes.writeUnits;
  processes.send({ kind: 'offerFreely', mostLeft });
  await sleep(seconds * warmingShare * 1_000);
  const beganMs = performance.now();
  const { done } = processes;
  await sleep(seconds * (1 - warmingShare) * 1_000);
  const tasksPerS = (processes.done - done) / ((performance.now() - beganMs) / 1_000);
  processes.send({ kind: 'offer', perS: 0 });
  if (!(await drained(processes, drainS)))
    throw new Error('the tasks of the calibration were not done in time');
  await sleep(reportAgeMs);
  return { tasksPerS, writeUnitsPerTask: (processes.writeUnits - writeUnits) / processes.done };
}

/** Waits until all offered tasks are done. Returns false if they are not done within the limit. */
export async function drained(processes: Processes, limitS: number): Promise<boolean> {
  const untilMs = performance.now() + limitS * 1_000;
  while (performance.now() < untilMs) {
    await sleep(200);
    if (processes.done >= processes.offered - processes.failed) return true;
  }
  return false;
}

export interface Plan {
  readonly perS: number;
  readonly seconds: number;
  readonly cut: Cut;
  /**
   * The capacity of the table in write units per second before and after the cut. If the table is what is short, its
   * capacity during the cut is a third of this number.
   */
  readonly writeUnitsPerS: number;
  readonly shortage: Shortage;
  readonly print: (line: string) => void;
}

class Recorder {
  readonly seconds: Second[] = [];
  readonly #standIns: OverloadStandIns;
  readonly #processes: Processes;
  #before = { offered: 0, acknowledged: 0, refused: 0, done: 0 };

  constructor(standIns: OverloadStandIns, processes: Processes) {
    this.#standIns = standIns;
    this.#processes = processes;
    this.#before = this.#sums();
    this.#standIns.takeThrottles();
  }

  record(atS: number): Second {
    const sums = this.#sums();
    const before = this.#before;
    this.#before = sums;
    const second: Second = {
      atS,
      offered: sums.offered - before.offered,
      admitted: sums.acknowledged - before.acknowledged,
      refused: sums.refused - before.refused,
      done: sums.done - before.done,
      api: this.#processes.takeStatesOf('api'),
      worker: this.#processes.takeStatesOf('worker'),
      throttles: this.#standIns.takeThrottles(),
      backlog: sums.offered - this.#processes.failed - sums.done,
    };
    this.seconds.push(second);
    return second;
  }

  #sums(): { offered: number; acknowledged: number; refused: number; done: number } {
    const { offered, acknowledged, refused, done } = this.#processes;
    return { offered, acknowledged, refused, done };
  }
}

/** Offers a steady load and cuts the table's capacity in the middle of it. Returns the counts of each second. */
export async function run(standIns: OverloadStandIns, processes: Processes, plan: Plan): Promise<Second[]> {
  const { perS, seconds, cut, writeUnitsPerS, shortage, print } = plan;
  const recorder = new Recorder(standIns, processes);
  await standIns.setCapacity(writeUnitsPerS);
  processes.send({ kind: 'offer', perS });
  print(header());
  const beganMs = performance.now();
  for (let atS = 1; atS <= seconds; atS++) {
    await sleep(beganMs + atS * 1_000 - performance.now());
    print(row(recorder.record(atS), cut));
    if (atS === cut.fromS) await standIns.cut(shortage, writeUnitsPerS);
    if (atS === cut.untilS) await standIns.setCapacity(writeUnitsPerS);
  }
  processes.send({ kind: 'offer', perS: 0 });
  return recorder.seconds;
}
