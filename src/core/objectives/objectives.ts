/**
 * The objectives of an installation: which share of events must be good within 30 days. The rules of Prometheus, the
 * verb `holdfast slo` and docs/objectives.md all follow from this file.
 */
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** The period over which an objective is judged. */
export const periodMs = 30 * dayMs;
/** The length of one slot of the canary: it makes one probe in each slot, and a slot without a good probe is bad. */
export const slotMs = 10 * secondMs;
/** A task must be claimed within this time after it was ready, to count as a good start. */
export const startWithinMs = 5 * secondMs;
/** A task must have ended within this time after its run time, to count as a good completion. */
export const endWithinMs = hourMs;
/** The queue of the canary's tasks, unless another one is given. */
export const canaryQueue = 'holdfast-canary';

export type ObjectiveName = 'api-availability' | 'start-latency' | 'completion';

export interface Objective {
  readonly name: ObjectiveName;
  /** The share of events that must be good, in millionths: whole numbers keep the arithmetic exact. */
  readonly targetPpm: number;
  /** The objective as a sentence for people. */
  readonly sentence: string;
}

export const objectives: readonly Objective[] = [
  {
    name: 'api-availability',
    targetPpm: 999_000,
    sentence: 'In 99.9 % of all slots of 10 s the canary submits a task and gets its result.',
  },
  {
    name: 'start-latency',
    targetPpm: 990_000,
    sentence: '99 % of the ready tasks start within 5 s, while workers have room.',
  },
  {
    name: 'completion',
    targetPpm: 999_000,
    sentence: '99.9 % of the tasks reach an end within their deadline or an hour.',
  },
];

export function objectiveOf(name: ObjectiveName): Objective {
  return objectives.find((one) => one.name === name) as Objective;
}

/**
 * One condition of an alert: the budget burned at least this many times as fast as the objective allows, over the long
 * window and over the short one. The short window ends the alert soon after the cause has ended.
 */
export interface BurnWindow {
  readonly factor: number;
  readonly longMs: number;
  readonly shortMs: number;
}

export interface BurnAlert {
  readonly name: 'FastBudgetBurn' | 'SlowBudgetBurn';
  /** `page` wakes somebody at night; `ticket` waits until the morning. */
  readonly severity: 'page' | 'ticket';
  /** The alert fires if one of these conditions holds. */
  readonly windows: readonly BurnWindow[];
}

/** The alerts of every objective, as the usual multi-window table for 30 days has them. */
export const burnAlerts: readonly BurnAlert[] = [
  {
    name: 'FastBudgetBurn',
    severity: 'page',
    windows: [
      { factor: 14.4, longMs: hourMs, shortMs: 5 * minuteMs },
      { factor: 6, longMs: 6 * hourMs, shortMs: 30 * minuteMs },
    ],
  },
  {
    name: 'SlowBudgetBurn',
    severity: 'ticket',
    windows: [
      { factor: 3, longMs: dayMs, shortMs: 2 * hourMs },
      { factor: 1, longMs: 3 * dayMs, shortMs: 6 * hourMs },
    ],
  },
];

/** The windows over which the rules record the share of bad events, the shortest first. */
export const windowsMs: readonly number[] = burnAlerts
  .flatMap(({ windows }) => windows.flatMap(({ longMs, shortMs }) => [longMs, shortMs]))
  .sort((a, b) => a - b);
