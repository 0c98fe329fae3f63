/** What a request really cost, asked of the stand-in, which counts by AWS's rules. */
import type { Answer, Json } from '../../call.ts';
import { rewritten } from '../lag/redirect.ts';
import type { LimitBook, Place } from './limits.ts';

type Asked = 'NONE' | 'TOTAL' | 'INDEXES';

interface Units {
  readonly CapacityUnits: number;
}

interface Consumed extends Units {
  readonly TableName: string;
  readonly Table?: Units;
  readonly GlobalSecondaryIndexes?: Readonly<Record<string, Units>>;
  readonly LocalSecondaryIndexes?: Readonly<Record<string, Units>>;
}

export function askingForCapacity(body: Json): Json {
  return { ...body, ReturnConsumedCapacity: 'INDEXES' };
}

function totalOf({ Table, GlobalSecondaryIndexes, LocalSecondaryIndexes, ...total }: Consumed): unknown {
  return total;
}

/** The answer with as much about capacity as its caller asked for. */
export function asAskedFor(answer: Answer, asked: unknown): Answer {
  if (answer.status !== 200 || asked === ('INDEXES' satisfies Asked)) return answer;
  const { ConsumedCapacity, ...rest } = JSON.parse(answer.body) as Json;
  if (ConsumedCapacity === undefined) return answer;
  if (asked !== ('TOTAL' satisfies Asked)) return rewritten(answer, rest);
  const consumed = ConsumedCapacity as Consumed | Consumed[];
  const total = Array.isArray(consumed) ? consumed.map(totalOf) : totalOf(consumed);
  return rewritten(answer, { ...rest, ConsumedCapacity: total });
}

function chargeOne(book: LimitBook, places: readonly Place[], consumed: Consumed, kind: Place['kind']): void {
  const { TableName: table, Table, GlobalSecondaryIndexes, LocalSecondaryIndexes } = consumed;
  const parts: [string | undefined, number][] = [[undefined, (Table ?? consumed).CapacityUnits]];
  for (const [index, units] of Object.entries({ ...GlobalSecondaryIndexes, ...LocalSecondaryIndexes })) {
    parts.push([index, units.CapacityUnits]);
  }
  for (const [index, units] of parts) {
    const here = places.filter((place) => place.table === table && place.index === index);
    // Shared out evenly: the stand-in says how much in all, not how much each.
    for (const place of here) book.charge(place, units / here.length);
    if (here.length === 0) book.charge({ table, index, partitionKey: undefined, kind }, units);
  }
}

/** Charges the places of a request what its answer says; a failed condition, of which it says nothing, a unit each. */
export function charge(book: LimitBook, places: readonly Place[], answer: Answer): void {
  const kind = places[0]?.kind ?? 'read';
  if (answer.status !== 200) {
    const written = places.filter((place) => place.index === undefined && place.kind === 'write');
    for (const place of written) book.charge(place, 1);
    return;
  }
  const { ConsumedCapacity: consumed } = JSON.parse(answer.body) as {
    ConsumedCapacity?: Consumed | Consumed[];
  };
  const all = consumed === undefined ? [] : Array.isArray(consumed) ? consumed : [consumed];
  for (const one of all) chargeOne(book, places, one, kind);
}
