import { Bucket } from '../../bucket.ts';
import type { ThrottlingReason } from '../answers.ts';

/** How much a table, an index or a partition of either carries. */
export interface Limit {
  /** Default: every table. */
  readonly table?: string | undefined;
  /** The index that is limited; default: the table itself. */
  readonly index?: string | undefined;
  /**
   * One partition key: only that (one hot shard). `each`: a bucket for each. Default: one bucket for the whole
   * table or index.
   */
  readonly partitionKey?: string | 'each' | undefined;
  /** Units a second; 0: nothing at all. Default: unlimited. */
  readonly writeUnitsPerS?: number | undefined;
  readonly readUnitsPerS?: number | undefined;
  /** Seconds of unused units that are kept. Default 1. */
  readonly burstS?: number | undefined;
}

/** Where units are spent: at a table's or an index's partition. */
export interface Place {
  readonly table: string;
  readonly index: string | undefined;
  /** Undefined: it can't be told from the request. */
  readonly partitionKey: string | undefined;
  readonly kind: 'read' | 'write';
}

function applies(limit: Limit, place: Place): boolean {
  if (limit.table !== undefined && limit.table !== place.table) return false;
  if (limit.index !== place.index) return false;
  if (limit.partitionKey === undefined) return true;
  return limit.partitionKey === 'each'
    ? place.partitionKey !== undefined
    : limit.partitionKey === place.partitionKey;
}

const rateOf = (limit: Limit, kind: Place['kind']): number | undefined =>
  kind === 'write' ? limit.writeUnitsPerS : limit.readUnitsPerS;

function reasonOf(limit: Limit, { table, index, kind }: Place): ThrottlingReason {
  const where = index === undefined ? 'Table' : 'Index';
  const what = limit.partitionKey === undefined ? 'Provisioned' : 'KeyRange';
  const arn = `arn:aws:dynamodb:local:000000000000:table/${table}`;
  return {
    reason: `${where}${kind === 'write' ? 'Write' : 'Read'}${what}ThroughputExceeded`,
    resource: index === undefined ? arn : `${arn}/index/${index}`,
  };
}

/** All limits of a proxy and their buckets. */
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

  /** Whether writes have to be traced into the indexes that they touch. */
  get traceIndexWrites(): boolean {
    return this.#limits.some((limit) => limit.index !== undefined && limit.writeUnitsPerS !== undefined);
  }

  /** Why this place carries no more now; undefined: it does. */
  refusal(place: Place): ThrottlingReason | undefined {
    for (const [limit, bucket] of this.#of(place)) {
      if (!bucket.admits(this.#now())) return reasonOf(limit, place);
    }
    return undefined;
  }

  charge(place: Place, units: number): void {
    for (const [, bucket] of this.#of(place)) bucket.charge(units, this.#now());
  }

  *#of(place: Place): Iterable<readonly [Limit, Bucket]> {
    for (const [i, limit] of this.#limits.entries()) {
      const perS = rateOf(limit, place.kind);
      if (perS === undefined || !applies(limit, place)) continue;
      const name = JSON.stringify([i, place.kind, place.table, limit.partitionKey && place.partitionKey]);
      let bucket = this.#buckets.get(name);
      if (bucket === undefined) {
        bucket = new Bucket(perS, limit.burstS ?? 1, this.#now());
        this.#buckets.set(name, bucket);
      }
      yield [limit, bucket];
    }
  }
}
