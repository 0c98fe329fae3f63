import type { AttributeValue, ConsumedCapacity } from '@aws-sdk/client-dynamodb';
import type { Item } from './schema/keys.ts';

/** Capacity usage of all DynamoDB calls of one kind so far. */
export interface CallUsage {
  /** Number of answered requests, including writes whose condition failed. */
  calls: number;
  /** Write units that the calls used on the table and its indexes, as reported by DynamoDB. */
  writeUnits: number;
  /** The part of `writeUnits` that the indexes used. */
  indexWriteUnits: number;
  /** Read units that the calls used on the table and its indexes, as reported by DynamoDB. */
  readUnits: number;
  /** Number of writes whose condition failed. */
  failedConditions: number;
  /**
   * Write units of writes whose condition failed; `writeUnits` does not include them. DynamoDB does not report these
   * units, so they are computed by DynamoDB's rule: the size of the existing item or of the new item, whichever is
   * larger, and at least one unit.
   */
  failedUnits: number;
  /**
   * Number of retries by the AWS engine itself, not by the AWS SDK: after transaction conflicts, throttled
   * transactions and incomplete batch reads.
   */
  retries: number;
}

/** Purpose of a DynamoDB request. The meter counts the usage of each purpose separately. */
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

function noUsage(): CallUsage {
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

/** Returns the size in bytes by which AWS bills an item: attribute names and values. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) bytes += Buffer.byteLength(name) + bytesOf(value);
  return bytes;
}

export function largerOf(a: Item | undefined, b: Item | undefined): Item | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return itemBytes(a) > itemBytes(b) ? a : b;
}

/** Adds up the capacity units that DynamoDB reports in its responses. */
export class Meter {
  readonly #kinds = new Map<CallKind, CallUsage>();

  of(kind: CallKind): CallUsage {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made = noUsage();
    this.#kinds.set(kind, made);
    return made;
  }

  recordResponse(kind: CallKind, consumed: readonly (ConsumedCapacity | undefined)[], isRead: boolean): void {
    const usage = this.of(kind);
    usage.calls++;
    for (const one of consumed) {
      if (one === undefined) continue;
      const units = one.CapacityUnits ?? 0;
      if (isRead) usage.readUnits += units;
      else usage.writeUnits += units;
      if (isRead) continue;
      for (const index of Object.values(one.GlobalSecondaryIndexes ?? {})) {
        usage.indexWriteUnits += index.CapacityUnits ?? 0;
      }
    }
  }

  /**
   * Records a write whose condition failed. For each item of the write, `items` has the existing item or the new one,
   * whichever is larger. `factor` is 2 for a transaction, which costs double.
   */
  recordFailedCondition(kind: CallKind, items: readonly (Item | undefined)[], factor = 1): void {
    const usage = this.of(kind);
    usage.failedConditions++;
    for (const item of items) {
      const bytes = item === undefined ? 0 : itemBytes(item);
      usage.failedUnits += factor * Math.max(1, Math.ceil(bytes / 1_024));
    }
  }

  /** Returns a copy of the capacity usage, by kind of DynamoDB call. */
  read(): Readonly<Partial<Record<CallKind, CallUsage>>> {
    return Object.fromEntries([...this.#kinds].map(([kind, usage]) => [kind, { ...usage }]));
  }

  reset(): void {
    this.#kinds.clear();
  }
}
