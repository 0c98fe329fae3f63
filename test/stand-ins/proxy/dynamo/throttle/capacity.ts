/** Charges requests their real cost, which the stand-in counts by the rules of AWS. */
import type { Answer, Json } from '../../call.ts';
import { rewritten } from '../lag/redirect.ts';
import type { CapacityTarget, LimitBook } from './limits.ts';

type CapacityDetail = 'NONE' | 'TOTAL' | 'INDEXES';

interface Units {
  readonly CapacityUnits: number;
}

interface ConsumedUnits extends Units {
  readonly TableName: string;
  readonly Table?: Units;
  readonly GlobalSecondaryIndexes?: Readonly<Record<string, Units>>;
  readonly LocalSecondaryIndexes?: Readonly<Record<string, Units>>;
}

export function withCapacityRequested(body: Json): Json {
  return { ...body, ReturnConsumedCapacity: 'INDEXES' };
}

function totalOf({ Table, GlobalSecondaryIndexes, LocalSecondaryIndexes, ...total }: ConsumedUnits): unknown {
  return total;
}

/** Reduces the consumed capacity in an answer to the detail that the caller requested. */
export function asRequested(answer: Answer, requested: unknown): Answer {
  if (answer.status !== 200 || requested === ('INDEXES' satisfies CapacityDetail)) return answer;
  const { ConsumedCapacity, ...rest } = JSON.parse(answer.body) as Json;
  if (ConsumedCapacity === undefined) return answer;
  if (requested !== ('TOTAL' satisfies CapacityDetail)) return rewritten(answer, rest);
  const consumed = ConsumedCapacity as ConsumedUnits | ConsumedUnits[];
  const total = Array.isArray(consumed) ? consumed.map(totalOf) : totalOf(consumed);
  return rewritten(answer, { ...rest, ConsumedCapacity: total });
}

function chargeOne(
  book: LimitBook,
  targets: readonly CapacityTarget[],
  consumed: ConsumedUnits,
  kind: CapacityTarget['kind'],
): void {
  const { TableName: table, Table, GlobalSecondaryIndexes, LocalSecondaryIndexes } = consumed;
  const parts: [string | undefined, number][] = [[undefined, (Table ?? consumed).CapacityUnits]];
  for (const [index, units] of Object.entries({ ...GlobalSecondaryIndexes, ...LocalSecondaryIndexes })) {
    parts.push([index, units.CapacityUnits]);
  }
  for (const [index, units] of parts) {
    const here = targets.filter((target) => target.table === table && target.index === index);
    // The capacity units are divided evenly among the partitions, since the stand-in reports only their sum.
    for (const target of here) book.charge(target, units / here.length);
    if (here.length === 0) book.charge({ table, index, partitionKey: undefined, kind }, units);
  }
}

/**
 * Charges the capacity units in an answer to the partitions that the request used. The answer to a failed condition
 * names no units, and costs one unit per item.
 */
export function charge(book: LimitBook, targets: readonly CapacityTarget[], answer: Answer): void {
  const kind = targets[0]?.kind ?? 'read';
  if (answer.status !== 200) {
    const written = targets.filter((target) => target.index === undefined && target.kind === 'write');
    for (const target of written) book.charge(target, 1);
    return;
  }
  const { ConsumedCapacity: consumed } = JSON.parse(answer.body) as {
    ConsumedCapacity?: ConsumedUnits | ConsumedUnits[];
  };
  const all = consumed === undefined ? [] : Array.isArray(consumed) ? consumed : [consumed];
  for (const one of all) chargeOne(book, targets, one, kind);
}
