/** The exact arithmetic of error budgets. Shares are fractions of whole numbers, and are rounded only as text. */
import { type BurnWindow, type Objective, periodMs, slotMs } from './objectives.ts';

const millionths = 1_000_000n;

/** A share as a fraction. The numerator may be larger than the denominator: an objective may be missed. */
export interface Share {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The budget of an objective as time: how long everything may be bad within the period, in ms. */
export function budgetMs({ targetPpm }: Objective): number {
  return Number((BigInt(periodMs) * (millionths - BigInt(targetPpm))) / millionths);
}

/** The effect of an outage: the slots that it makes bad, and the share of the budget that it uses. */
export interface Downtime {
  readonly downtimeMs: number;
  /** The number of bad slots. An outage that is no whole number of slots makes one more bad, or not. */
  readonly badSlots: { readonly least: number; readonly most: number };
  /** All slots of the period. */
  readonly slots: number;
  readonly budgetMs: number;
  readonly used: Share;
}

/** Computes the effect of an outage of this whole number of ms on an objective that is judged by slots. */
export function downtimeOf(objective: Objective, downtimeMs: number): Downtime {
  return {
    downtimeMs,
    badSlots: { least: Math.floor(downtimeMs / slotMs), most: Math.ceil(downtimeMs / slotMs) },
    slots: periodMs / slotMs,
    budgetMs: budgetMs(objective),
    used: {
      numerator: BigInt(downtimeMs) * millionths,
      denominator: BigInt(periodMs) * (millionths - BigInt(objective.targetPpm)),
    },
  };
}

/** Writes a share as per cent with two decimals, rounded half up, such as `4.63`. */
export function percentText({ numerator, denominator }: Share): string {
  const hundredths = (2n * 10_000n * numerator + denominator) / (2n * denominator);
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
}

export function shareNumber({ numerator, denominator }: Share): number {
  return Number(numerator) / Number(denominator);
}

/** The share of the period's budget that is used up when a burn of this factor has lasted for the long window. */
export function budgetUsedBy({ factor, longMs }: BurnWindow): number {
  return (factor * longMs) / periodMs;
}

/** How long everything must be bad until a condition of an alert holds, in ms, if all was good before. */
export function outageUntilAlertMs({ targetPpm }: Objective, { factor, longMs }: BurnWindow): number {
  return (factor * longMs * (1_000_000 - targetPpm)) / 1_000_000;
}
