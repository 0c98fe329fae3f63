/** The faults of a run: which, when, for how long and where. All of it is decided by the seed. */
import { seededRandom } from '../../../src/testing/random.ts';

export const faultKinds = [
  'killServer',
  'killWorker',
  'stopServer',
  'stopWorker',
  'cut',
  'delay',
  'loseAnswers',
  'rotateCertificates',
  'rollServers',
  'rollWorkers',
  'stepServerClock',
  'stepWorkerClock',
  'fillDisk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface PlannedFault {
  readonly kind: FaultKind;
  /** The time since the begin of the load. */
  readonly atMs: number;
  readonly lengthMs: number;
  /** Chooses the processes or connections that the fault is about: a number in [0, 1). */
  readonly pick: number;
  /** The new offset of a clock. 0 for other kinds. */
  readonly offsetMs: number;
}

interface Course {
  readonly leastMs: number;
  readonly mostMs: number;
  /** True if other faults happen meanwhile. */
  readonly isBeside: boolean;
  /** True if the fault stops a server or needs a server that answers. Such faults come one after the other. */
  readonly ofServers: boolean;
}

const course = (leastMs: number, mostMs: number, more: Partial<Course> = {}): Course => ({
  ...{ leastMs, mostMs, isBeside: false, ofServers: false },
  ...more,
});

/** The length of each kind. A lease lasts 30 s and is expired 2 s later, so processes stand still for longer. */
const courses: Readonly<Record<FaultKind, Course>> = {
  killServer: course(100, 3_000, { ofServers: true }),
  killWorker: course(100, 2_000),
  stopServer: course(34_000, 38_000, { ofServers: true, isBeside: true }),
  stopWorker: course(35_000, 42_000, { isBeside: true }),
  cut: course(200, 6_000),
  delay: course(3_000, 7_000),
  loseAnswers: course(2_000, 5_000, { ofServers: true }),
  rotateCertificates: course(3_000, 3_000),
  rollServers: course(2_000, 5_000, { ofServers: true }),
  rollWorkers: course(4_000, 8_000),
  stepServerClock: course(0, 0),
  stepWorkerClock: course(0, 0),
  fillDisk: course(4_000, 9_000, { isBeside: true }),
};
/** The kinds of faults that go on while others happen. */
export const besideKinds: readonly FaultKind[] = faultKinds.filter((kind) => courses[kind].isBeside);
const pauseMs = { least: 800, most: 3_500 } as const;
const firstAtMs = 2_000;
/** A server stands still in one of so many rounds: on one machine nothing else happens meanwhile. */
const roundsOfStop = 3;
const mostOffsetMs = 40_000;

export interface ScheduleOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly kinds: readonly FaultKind[];
}

/**
 * Returns the faults of a run in the order of their times. They come in rounds, as long as the time lasts: in the first
 * one every kind comes once, in a random order.
 */
export function scheduleOf({ seed, seconds, kinds }: ScheduleOptions): PlannedFault[] {
  const random = seededRandom(seed);
  const between = (least: number, most: number): number => Math.round(least + (most - least) * random());
  const faults: PlannedFault[] = [];
  const endMs = seconds * 1_000;
  let atMs = firstAtMs;
  let serversFreeAtMs = 0;
  for (let round = 0; atMs < endMs && kinds.length > 0; round++) {
    const own = kinds.filter((kind) => kind !== 'stopServer' || round % roundsOfStop === 0);
    for (const kind of shuffled(own, random)) {
      const { leastMs, mostMs, isBeside, ofServers } = courses[kind];
      const lengthMs = between(leastMs, mostMs);
      const isStep = kind === 'stepServerClock' || kind === 'stepWorkerClock';
      const offsetMs = isStep ? between(-mostOffsetMs, mostOffsetMs) : 0;
      const ownAtMs = ofServers ? Math.max(atMs, serversFreeAtMs) : atMs;
      faults.push({ kind, atMs: ownAtMs, lengthMs, pick: random(), offsetMs });
      if (ofServers) serversFreeAtMs = ownAtMs + lengthMs + pauseMs.least;
      atMs += between(pauseMs.least, pauseMs.most) + (isBeside || ownAtMs > atMs ? 0 : lengthMs);
    }
  }
  return faults.filter((fault) => fault.atMs < endMs).sort((a, b) => a.atMs - b.atMs);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, by: random() }))
    .sort((a, b) => a.by - b.by)
    .map(({ item }) => item);
}
