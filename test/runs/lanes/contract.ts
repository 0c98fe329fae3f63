/** The task type and the names that submitters, workers and the judge of a run of `npm run lanes` share. */
import { createHash } from 'node:crypto';
import { defineTask, typed } from '../../../src/index.ts';

export const tenant = 'default';
export const queue = 'lanes';
/** The name of the long lane. Its tasks mostly wait while the other lanes are measured. */
export const longLane = 'long';

export interface Step {
  readonly lane: string;
  readonly submitter: number;
  /** The number of this task among the tasks of the same submitter and lane, from 0. */
  readonly number: number;
}

export const laneStep = defineTask('lane-step', {
  input: typed<Step>(),
  queue,
  retry: { maxAttempts: 50, backoff: { base: '200ms', max: '1s' } },
  timeout: '1m',
  idempotencyKey: ({ lane, submitter, number }) => `${lane}/${submitter}/${number}`,
  orderingKey: ({ lane }) => lane,
});

export function laneName(number: number): string {
  return `lane-${String(number).padStart(4, '0')}`;
}

/** Returns a pseudo-random number in [0, 1), which is the same for the same words in every process. */
export function chanceOf(...words: readonly (string | number)[]): number {
  return createHash('sha256').update(words.join(' ')).digest().readUInt32BE() / 2 ** 32;
}
