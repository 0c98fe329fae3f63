/**
 * The task type, the queues, the inputs and the hashes that the processes and the judge of `npm run chaos` share. The
 * clients in `python/` make the same inputs and hashes (`shared.py`).
 */
import { createHash } from 'node:crypto';
import { defineTask, typed } from '../../../src/index.ts';
import { chanceOf } from '../deploys/contract.ts';

export const queue = 'chaos';
/** The queue of the tasks with an ordering key. */
export const laneQueue = 'chaos-lanes';
export const queues = [queue, laneQueue] as const;
/** The attempts that one worker process of the SDK runs at once. */
export const slots = 8;
/** The environment variable with the folder in which each process writes its ledger. */
export const ledgersVariable = 'HOLDFAST_CHAOS_LEDGERS';
/** The environment variable with the name of the process, which begins the name of its ledger. */
export const nameVariable = 'HOLDFAST_CHAOS_NAME';

/**
 * How a task is to end: `well`; `once`: its first attempt fails; `snooze`: about half of its claims end with a snooze;
 * `fatal`: it becomes dead.
 */
export type Plan = 'well' | 'once' | 'snooze' | 'fatal';

export interface Work {
  /** Unique in the run; it is the idempotency key. */
  readonly key: string;
  /** The ordering key, or empty. */
  readonly lane: string;
  /** The place in the lane, from 0. */
  readonly seq: number;
  readonly plan: Plan;
  /** The duration of the handler. */
  readonly ms: number;
  readonly text: string;
}

export interface WorkResult {
  readonly key: string;
  readonly fencingToken: number;
  /** The name and the process id of the worker. */
  readonly by: string;
  readonly inputHash: string;
}

export const chaosTask = defineTask('chaos', {
  input: typed<Work>(),
  output: typed<WorkResult>(),
  queue,
  timeout: '10m',
  retry: { maxAttempts: 5, backoff: { base: '200ms', max: '1s' } },
  // Each kill may lose a worker of any task, so that no number of losses may end one.
  maxLosses: 1_000,
  idempotencyKey: ({ key }: Work) => key,
});

const hashOf = (...parts: readonly (string | number)[]): string =>
  createHash('sha256').update(parts.join('|')).digest('hex').slice(0, 32);

export function inputHash({ key, lane, seq, plan, ms, text }: Work): string {
  return hashOf(key, lane, seq, plan, ms, text);
}

export function resultHash(result: WorkResult): string {
  return hashOf(result.key, result.fencingToken, result.by, result.inputHash);
}

/** Returns true if a handler under this claim ends with a snooze. A snooze uses no attempt, so the claim decides. */
export function snoozes(plan: Plan, fencingToken: number): boolean {
  return plan === 'snooze' && fencingToken % 2 === 0;
}

/** Returns the time of the machine's monotonic clock in ms: all processes share it, and no step of a clock moves it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

const shares = { once: 0.04, snooze: 0.02, fatal: 0.02 } as const;
/** The share of tasks that take as long as two heartbeats. */
const longShare = 0.01;
const longMs = 12_000;
const mostMs = 200;
const laneMostMs = 40;
const largeShare = 0.05;
const largeChars = 16_000;

function planOf(chance: number): Plan {
  if (chance < shares.once) return 'once';
  if (chance < shares.once + shares.snooze) return 'snooze';
  return chance < shares.once + shares.snooze + shares.fatal ? 'fatal' : 'well';
}

/** Returns the task of this submitter with this number; all of it follows from the seed and the two. */
export function plannedWork(seed: number, submitter: string, number: number, lane = '', seq = 0): Work {
  const key = `${submitter}-${number}`;
  const chance = (word: string): number => chanceOf(seed, word, key);
  const chars = chance('large') < largeShare ? largeChars : Math.floor(chance('chars') * 200);
  const isLong = lane === '' && chance('long') < longShare;
  const ms = Math.floor(chance('ms') * (lane === '' ? mostMs : laneMostMs));
  const text = hashOf(seed, key)
    .repeat(Math.ceil(chars / 32))
    .slice(0, chars);
  return { key, lane, seq, plan: planOf(chance('plan')), ms: isLong ? longMs : ms, text };
}
