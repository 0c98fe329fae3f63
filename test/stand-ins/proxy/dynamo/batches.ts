/**
 * Splits a DynamoDB batch of which some items are throttled: the throttled items are answered as unprocessed, the
 * others are forwarded.
 */
import type { Answer, Json } from '../call.ts';
import { rewritten } from './lag/redirect.ts';

type PerTable = Readonly<Record<string, unknown>>;

export type Batch = 'BatchGetItem' | 'BatchWriteItem';

export function isBatch(operation: string): operation is Batch {
  return operation === 'BatchGetItem' || operation === 'BatchWriteItem';
}

const listOf = (operation: Batch, one: unknown): readonly unknown[] =>
  operation === 'BatchGetItem' ? ((one as Json).Keys as readonly unknown[]) : (one as readonly unknown[]);

/** Returns the items of a batch request whose position `keep` accepts. */
function part(operation: Batch, items: PerTable, keep: (position: number) => boolean): PerTable {
  let position = 0;
  const kept: Record<string, unknown> = {};
  for (const [table, one] of Object.entries(items)) {
    const list = listOf(operation, one).filter(() => keep(position++));
    if (list.length > 0) kept[table] = operation === 'BatchGetItem' ? { ...(one as Json), Keys: list } : list;
  }
  return kept;
}

export interface BatchSplit {
  readonly body: Json;
  readonly unprocessed: PerTable;
}

export function split(operation: Batch, body: Json, refused: readonly boolean[]): BatchSplit {
  const items = body.RequestItems as PerTable;
  return {
    body: { ...body, RequestItems: part(operation, items, (position) => refused[position] !== true) },
    unprocessed: part(operation, items, (position) => refused[position] === true),
  };
}

/** Adds the throttled items of a batch to the items that the stand-in's answer lists as unprocessed. */
export function withUnprocessed(operation: Batch, answer: Answer, unprocessed: PerTable): Answer {
  if (answer.status !== 200 || Object.keys(unprocessed).length === 0) return answer;
  const name = operation === 'BatchGetItem' ? 'UnprocessedKeys' : 'UnprocessedItems';
  const body = JSON.parse(answer.body) as Json;
  const merged: Record<string, unknown> = { ...(body[name] as PerTable | undefined) };
  for (const [table, one] of Object.entries(unprocessed)) {
    const before = merged[table];
    const list = [...(before === undefined ? [] : listOf(operation, before)), ...listOf(operation, one)];
    merged[table] = operation === 'BatchGetItem' ? { ...(one as Json), Keys: list } : list;
  }
  return rewritten(answer, { ...body, [name]: merged });
}
