/** The task types, the queues and the names that the processes and the judge of `npm run deploys` share. */
import { createHash } from 'node:crypto';
import { defineTask, typed } from '../../../src/index.ts';

export const tenant = 'default';
/** The queue of most tasks, which is paused once. */
export const mainQueue = 'deploys';
export const sideQueue = 'deploys-side';
export const queues = [mainQueue, sideQueue] as const;
/** The attempts that one worker process runs at once. */
export const slots = 8;
/** The environment variable with the folder in which each worker process writes its ledger. */
export const ledgersVariable = 'HOLDFAST_DEPLOYS_LEDGERS';

export interface Work {
  /** Unique in the run; it is the idempotency key. */
  readonly name: string;
  readonly ms: number;
  /** True if the first attempt fails. */
  readonly fails: boolean;
  /** True if the handler ends its process. */
  readonly exits: boolean;
}

const common = {
  input: typed<Work>(),
  queue: mainQueue,
  timeout: '1m',
  idempotencyKey: ({ name }: Work) => name,
} as const;
const retry = { maxAttempts: 5, backoff: { base: '200ms', max: '1s' } } as const;

export const short = defineTask('deploys-short', { ...common, retry });
export const long = defineTask('deploys-long', { ...common, retry });
/** A type of which each worker runs one task at a time. */
export const single = defineTask('deploys-single', { ...common, retry });
/** A type whose tasks may begin only once. */
export const once = defineTask('deploys-once', { ...common, retry: { maxAttempts: 1 } });

export type DeployTask = typeof short | typeof long | typeof single | typeof once;

export interface Planned {
  readonly task: DeployTask;
  readonly work: Work;
  readonly queue: string;
}

const shares = { long: 0.08, single: 0.06, once: 0.08, side: 0.2, failing: 0.03 } as const;
const shortMs = { least: 10, most: 300 } as const;
const longMs = { least: 3_000, most: 6_000 } as const;

/** Returns a pseudo-random number in [0, 1), which is the same for the same words in every process. */
export function chanceOf(...words: readonly (string | number)[]): number {
  return createHash('sha256').update(words.join(' ')).digest().readUInt32BE() / 2 ** 32;
}

function typeOf(chance: number, longShare: number): DeployTask {
  if (chance < longShare) return long;
  if (chance < longShare + shares.single) return single;
  return chance < longShare + shares.single + shares.once ? once : short;
}

/** Returns the task with this name: its type, duration and queue follow from the seed. */
export function plannedTask(seed: number, name: string, longShare: number = shares.long): Planned {
  const chance = (word: string): number => chanceOf(seed, word, name);
  const task = typeOf(chance('type'), longShare);
  const { least, most } = task === long ? longMs : shortMs;
  const ms = Math.round(least + (most - least) * chance('duration'));
  const fails = task !== once && chance('fails') < shares.failing;
  const queue = chance('queue') < shares.side ? sideQueue : mainQueue;
  return { task, queue, work: { name, ms, fails, exits: false } };
}

/** Returns the poison: a task like many others, whose handler ends its process. */
export function plannedPoison(name: string): Planned {
  return { task: short, queue: mainQueue, work: { name, ms: 0, fails: false, exits: true } };
}
