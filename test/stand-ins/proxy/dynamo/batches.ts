/** A batch of which some items are throttled: those come back unprocessed, the others go on. */
import type { Answer, Json } from '../call.ts';
import { rewritten } from './lag/redirect.ts';

type PerTable = Readonly<Record<string, unknown>>;

export type Batch = 'BatchGetItem' | 'BatchWriteItem';

export function isBatch(operation: string): operation is Batch {
  return operation === 'BatchGetItem' || operation === 'BatchWriteItem';
}

const listOf = (operation: Batch, one: unknown): readonly unknown[] =>
  operation === 'BatchGetItem' ? ((one as Json).Keys as readonly unknown[]) : (one as readonly unknown[]);

/** Of the request's items, by their place in it, those that `keep` says. */
function part(operation: Batch, items: PerTable, keep: (place: number) => boolean): PerTable {
  let place = 0;
  const kept: Record<string, unknown> = {};
  for (const [table, one] of Object.entries(items)) {
    const list = listOf(operation, one).filter(() => keep(place++));
    if (list.length > 0) kept[table] = operation === 'BatchGetItem' ? { ...(one as Json), Keys: list } : list;
  }
  return kept;
}

export interface Split {
  readonly body: Json;
  readonly left: PerTable;
}

export function split(operation: Batch, body: Json, refused: readonly boolean[]): Split {
  const items = body.RequestItems as PerTable;
  return {
    body: { ...body, RequestItems: part(operation, items, (place) => refused[place] !== true) },
    left: part(operation, items, (place) => refused[place] === true),
  };
}

/** The answer to the part that went on, with what did not added to what the stand-in left. */
export function withLeft(operation: Batch, answer: Answer, left: PerTable): Answer {
  if (answer.status !== 200 || Object.keys(left).length === 0) return answer;
  const name = operation === 'BatchGetItem' ? 'UnprocessedKeys' : 'UnprocessedItems';
  const body = JSON.parse(answer.body) as Json;
  const merged: Record<string, unknown> = { ...(body[name] as PerTable | undefined) };
  for (const [table, one] of Object.entries(left)) {
    const before = merged[table];
    const list = [...(before === undefined ? [] : listOf(operation, before)), ...listOf(operation, one)];
    merged[table] = operation === 'BatchGetItem' ? { ...(one as Json), Keys: list } : list;
  }
  return rewritten(answer, { ...body, [name]: merged });
}
