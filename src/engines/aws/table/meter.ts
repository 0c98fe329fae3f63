import type { AttributeValue, ConsumedCapacity } from '@aws-sdk/client-dynamodb';
import type { Item } from './schema/keys.ts';

/** What calls of one kind cost so far; the numbers only rise. */
export interface Metered {
  /** Requests answered, refused conditions included. */
  calls: number;
  /** Of the table and its indexes, as the service told. */
  writeUnits: number;
  /** The part of `writeUnits` that indexes took. */
  indexWriteUnits: number;
  /** Of the table and its indexes, as the service told. */
  readUnits: number;
  /** Writes whose condition failed. */
  failedConditions: number;
  /**
   * What they cost by AWS's rule: the size of the item that stood there or was to be put, whichever is larger, at
   * least one unit. Counted apart.
   */
  failedUnits: number;
  /** Requests that were sent again by us, after a conflict of transactions or a throttled part. */
  retries: number;
}

/** What a request is for, as the bill is read. */
export type CallKind =
  | 'accept'
  | 'append'
  | 'renew'
  | 'read'
  | 'list'
  | 'due'
  | 'lane'
  | 'registry'
  | 'table';

function fresh(): Metered {
  return {
    calls: 0,
    writeUnits: 0,
    indexWriteUnits: 0,
    readUnits: 0,
    failedConditions: 0,
    failedUnits: 0,
    retries: 0,
  };
}

function bytesOf(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.B !== undefined) return value.B.length;
  if (value.N !== undefined) return Math.ceil(value.N.replace(/[-.]/g, '').length / 2) + 1;
  if (value.L !== undefined) return value.L.reduce((sum, one) => sum + 1 + bytesOf(one), 3);
  if (value.SS !== undefined) return value.SS.reduce((sum, one) => sum + Buffer.byteLength(one), 0);
  return 1;
}

/** The size of an item by which AWS charges: names and values. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) bytes += Buffer.byteLength(name) + bytesOf(value);
  return bytes;
}

export function largerOf(a: Item | undefined, b: Item | undefined): Item | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return itemBytes(a) > itemBytes(b) ? a : b;
}

/** Adds up the capacity that the table's answers say they consumed. */
export class Meter {
  readonly #kinds = new Map<CallKind, Metered>();

  of(kind: CallKind): Metered {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made = fresh();
    this.#kinds.set(kind, made);
    return made;
  }

  answered(kind: CallKind, consumed: readonly (ConsumedCapacity | undefined)[], isRead: boolean): void {
    const metered = this.of(kind);
    metered.calls++;
    for (const one of consumed) {
      if (one === undefined) continue;
      const units = one.CapacityUnits ?? 0;
      if (isRead) metered.readUnits += units;
      else metered.writeUnits += units;
      if (isRead) continue;
      for (const index of Object.values(one.GlobalSecondaryIndexes ?? {})) {
        metered.indexWriteUnits += index.CapacityUnits ?? 0;
      }
    }
  }

  /** `items`: the larger of what stood there and what was to be put; `factor`: a transaction doubles. */
  conditionFailed(kind: CallKind, items: readonly (Item | undefined)[], factor = 1): void {
    const metered = this.of(kind);
    metered.failedConditions++;
    for (const item of items) {
      const bytes = item === undefined ? 0 : itemBytes(item);
      metered.failedUnits += factor * Math.max(1, Math.ceil(bytes / 1_024));
    }
  }

  /** A copy of everything, by kind. */
  read(): Readonly<Partial<Record<CallKind, Metered>>> {
    return Object.fromEntries([...this.#kinds].map(([kind, metered]) => [kind, { ...metered }]));
  }

  reset(): void {
    this.#kinds.clear();
  }
}
