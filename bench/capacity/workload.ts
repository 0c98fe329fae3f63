import { limits } from '../../src/core/limits.ts';
import { type PricedRegion, pricedRegions } from '../cost/list-prices.ts';

/** A load that goes on all month, and how it is worked. */
export interface Workload {
  /** Tasks a second, from submission to success at the first attempt. */
  readonly rate: number;
  readonly payloadBytes: number;
  /** True if each task has an ordering key. */
  readonly ordered: boolean;
  readonly region: PricedRegion;
  /** How long a handler works, in ms. */
  readonly workMs: number;
  /** The attempts that one worker runs at once. */
  readonly slots: number;
  readonly queues: number;
  readonly zones: number;
}

export const defaultWorkload: Omit<Workload, 'rate'> = {
  ...{ payloadBytes: 1_024, ordered: false, region: 'us-east-1' },
  ...{ workMs: 100, slots: 64, queues: 1, zones: 3 },
};

const ranges = {
  rate: [1, 10_000_000],
  payloadBytes: [0, limits.payloadBytes],
  workMs: [0, 86_400_000],
  slots: [1, 10_000],
  queues: [1, 1_000],
  zones: [2, 6],
} as const satisfies Partial<Record<keyof Workload, readonly [number, number]>>;

const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Returns the sentence about the first value that makes no sense, or undefined. */
export function faultOf(given: Readonly<Record<keyof Workload, unknown>>): string | undefined {
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = given[name as keyof Workload];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      return `${flagOf(name)} must be a whole number from ${least.toLocaleString('en-US')} to ${most.toLocaleString('en-US')}.`;
  }
  if (pricedRegions.some((region) => region === given.region)) return undefined;
  return `There are no prices of the region '${String(given.region)}', but of ${pricedRegions.join(' and ')}. Add it to bench/cost/list-prices.ts.`;
}
