import { Bucket } from '../../bucket.ts';
import type { ThrottlingReason } from '../answers.ts';

/** A limit of the capacity of a table, of an index, or of a partition of either. */
export interface Limit {
  /** The table that is limited. Default: every table. */
  readonly table?: string | undefined;
  /** The index that is limited. Default: the table itself. */
  readonly index?: string | undefined;
  /**
   * The partition key to limit, such as one hot shard. `each` gives every partition key its own bucket. Default: one
   * bucket for the whole table or index.
   */
  readonly partitionKey?: string | 'each' | undefined;
  /** Capacity in write units per second; 0 admits no write. Default: unlimited. */
  readonly writeUnitsPerS?: number | undefined;
  /** Capacity in read units per second; 0 admits no read. Default: unlimited. */
  readonly readUnitsPerS?: number | undefined;
  /** The number of seconds for which the token bucket keeps unused units. Default: 1. */
  readonly burstS?: number | undefined;
}

/** The partition of a table or an index whose capacity a request uses. */
export interface CapacityTarget {
  readonly table: string;
  readonly index: string | undefined;
  /** The partition key, or undefined if the request does not determine it. */
  readonly partitionKey: string | undefined;
  readonly kind: 'read' | 'write';
}

function applies(limit: Limit, target: CapacityTarget): boolean {
  if (limit.table !== undefined && limit.table !== target.table) return false;
  if (limit.index !== target.index) return false;
  if (limit.partitionKey === undefined) return true;
  return limit.partitionKey === 'each'
    ? target.partitionKey !== undefined
    : limit.partitionKey === target.partitionKey;
}

const rateOf = (limit: Limit, kind: CapacityTarget['kind']): number | undefined =>
  kind === 'write' ? limit.writeUnitsPerS : limit.readUnitsPerS;

function reasonOf(limit: Limit, { table, index, kind }: CapacityTarget): ThrottlingReason {
  const where = index === undefined ? 'Table' : 'Index';
  const what = limit.partitionKey === undefined ? 'Provisioned' : 'KeyRange';
  const arn = `arn:aws:dynamodb:local:000000000000:table/${table}`;
  return {
    reason: `${where}${kind === 'write' ? 'Write' : 'Read'}${what}ThroughputExceeded`,
    resource: index === undefined ? arn : `${arn}/index/${index}`,
  };
}

/** All capacity limits of a DynamoDB proxy, with their token buckets. */
export class LimitBook {
  readonly #limits: readonly Limit[];
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: readonly Limit[], now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#limits.length;
  }

  /** True if a limit on an index needs to know which writes change the index. */
  get traceIndexWrites(): boolean {
    return this.#limits.some((limit) => limit.index !== undefined && limit.writeUnitsPerS !== undefined);
  }

  /** Returns the reason of the throttle if the table or index partition has no capacity left now, else undefined. */
  refusal(target: CapacityTarget): ThrottlingReason | undefined {
    for (const [limit, bucket] of this.#of(target)) {
      if (!bucket.admits(this.#now())) return reasonOf(limit, target);
    }
    return undefined;
  }

  charge(target: CapacityTarget, units: number): void {
    for (const [, bucket] of this.#of(target)) bucket.charge(units, this.#now());
  }

  *#of(target: CapacityTarget): Iterable<readonly [Limit, Bucket]> {
    for (const [i, limit] of this.#limits.entries()) {
      const perS = rateOf(limit, target.kind);
      if (perS === undefined || !applies(limit, target)) continue;
      const name = JSON.stringify([i, target.kind, target.table, limit.partitionKey && target.partitionKey]);
      let bucket = this.#buckets.get(name);
      if (bucket === undefined) {
        bucket = new Bucket(perS, limit.burstS ?? 1, this.#now());
        this.#buckets.set(name, bucket);
      }
      yield [limit, bucket];
    }
  }
}
