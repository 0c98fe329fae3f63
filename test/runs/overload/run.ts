import { setTimeout as sleep } from 'node:timers/promises';
import type { Site } from './overload-stand-ins.ts';
import type { Processes } from './processes.ts';
import { type Cut, header, row, type Second } from './timeline.ts';

/** What may be left undone while it is found out how much can be done. */
const mostLeft = 800;
/** The first seconds of a calibration are those of warming up. */
const warmingShare = 0.3;
/** More than any machine carries. */
const endless = 1_000_000;
export const drainS = 90;
/** What a process told last is not older than this. */
const toldMs = 500;

export interface Calibrated {
  readonly tasksPerS: number;
  /** Of the table, without its indexes. */
  readonly writeUnitsPerTask: number;
}

/** As much as goes, for so long; then until that is done. */
export async function calibrate(site: Site, processes: Processes, seconds: number): Promise<Calibrated> {
  await site.capacity(endless);
  const writeUnits = processes.writeUnits;
  processes.tell({ kind: 'offerFreely', mostLeft });
  await sleep(seconds * warmingShare * 1_000);
  const beganMs = performance.now();
  const { done } = processes;
  await sleep(seconds * (1 - warmingShare) * 1_000);
  const tasksPerS = (processes.done - done) / ((performance.now() - beganMs) / 1_000);
  processes.tell({ kind: 'offer', perS: 0 });
  if (!(await drained(processes, drainS))) throw new Error('what the calibration left did not get done');
  await sleep(toldMs);
  return { tasksPerS, writeUnitsPerTask: (processes.writeUnits - writeUnits) / processes.done };
}

/** Until everything that was offered is done; false: it was not in this time. */
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
  /** What the table carries before and after the cut; a third of it within. */
  readonly writeUnitsPerS: number;
  readonly print: (line: string) => void;
}

class Recorder {
  readonly seconds: Second[] = [];
  readonly #site: Site;
  readonly #processes: Processes;
  #before = { offered: 0, acknowledged: 0, refused: 0, done: 0 };

  constructor(site: Site, processes: Processes) {
    this.#site = site;
    this.#processes = processes;
    this.#before = this.#sums();
    this.#site.throttles();
  }

  take(atS: number): Second {
    const sums = this.#sums();
    const before = this.#before;
    this.#before = sums;
    const second: Second = {
      atS,
      offered: sums.offered - before.offered,
      admitted: sums.acknowledged - before.acknowledged,
      refused: sums.refused - before.refused,
      done: sums.done - before.done,
      api: this.#processes.statesOf('api'),
      worker: this.#processes.statesOf('worker'),
      throttles: this.#site.throttles(),
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

/** The run: a steady load, in the middle of it a cut; then until nothing is left. */
export async function run(site: Site, processes: Processes, plan: Plan): Promise<Second[]> {
  const { perS, seconds, cut, writeUnitsPerS, print } = plan;
  const recorder = new Recorder(site, processes);
  await site.capacity(writeUnitsPerS);
  processes.tell({ kind: 'offer', perS });
  print(header());
  const beganMs = performance.now();
  for (let atS = 1; atS <= seconds; atS++) {
    await sleep(beganMs + atS * 1_000 - performance.now());
    print(row(recorder.take(atS), cut));
    if (atS === cut.fromS) await site.capacity(writeUnitsPerS / 3);
    if (atS === cut.untilS) await site.capacity(writeUnitsPerS);
  }
  processes.tell({ kind: 'offer', perS: 0 });
  return recorder.seconds;
}
