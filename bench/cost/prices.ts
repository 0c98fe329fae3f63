import { listPrices } from './list-prices.ts';

const { writeUnit, readUnit, sqsRequest, storedGbMonth } = listPrices['us-east-1'];

/** The on-demand list prices of AWS in us-east-1, in US dollars. */
export const prices = {
  writeUnit: writeUnit.usd,
  readUnit: readUnit.usd,
  sqsRequest: sqsRequest.usd,
  storedGbMonth: storedGbMonth.usd,
} as const;

/** The bytes that AWS adds to the size of each item and each index entry when it bills storage. */
export const itemOverheadBytes = 100;
export const gb = 1_000_000_000;
export const daysAMonth = 30.4;

/** The capacity units and calls that an operation consumed. */
export interface Units {
  readonly writes: number;
  /** The part of the write units (`writes`) that updates of indexes consumed. */
  readonly indexWrites: number;
  /** The part of the write units (`writes`) that was consumed by writes whose condition failed. */
  readonly refusedWrites: number;
  readonly reads: number;
  readonly sqsCalls: number;
}

export const noUnits: Units = { writes: 0, indexWrites: 0, refusedWrites: 0, reads: 0, sqsCalls: 0 };

function combined(a: Units, b: Units, how: (a: number, b: number) => number): Units {
  return {
    writes: how(a.writes, b.writes),
    indexWrites: how(a.indexWrites, b.indexWrites),
    refusedWrites: how(a.refusedWrites, b.refusedWrites),
    reads: how(a.reads, b.reads),
    sqsCalls: how(a.sqsCalls, b.sqsCalls),
  };
}

export const plus = (a: Units, b: Units): Units => combined(a, b, (x, y) => x + y);
export const minus = (a: Units, b: Units): Units => combined(a, b, (x, y) => x - y);
export const times = (a: Units, factor: number): Units => combined(a, a, (x) => x * factor);

/** Returns the price of the units in US dollars. */
export function usd({ writes, reads, sqsCalls }: Units): number {
  return writes * prices.writeUnit + reads * prices.readUnit + sqsCalls * prices.sqsRequest;
}
