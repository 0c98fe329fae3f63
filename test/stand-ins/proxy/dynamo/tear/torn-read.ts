/** Answers a Query, a Scan or a BatchGetItem of a table as if hidden items were still as they were before. */
import type { Answer, Json } from '../../call.ts';
import type { Item } from '../lag/item.ts';
import { rewritten } from '../lag/redirect.ts';
import { keyName, keyOf, type TableSchema } from '../lag/schemas.ts';
import type { HiddenItem } from './hidden-items.ts';

export type Hidden = ReadonlyMap<string, HiddenItem>;

/** Returns the partition that a Query reads, or undefined for a Scan. */
export function partitionOf(schema: TableSchema, body: Json): unknown {
  const names = (body.ExpressionAttributeNames ?? {}) as Record<string, string>;
  const values = (body.ExpressionAttributeValues ?? {}) as Record<string, unknown>;
  const terms = String(body.KeyConditionExpression ?? '').matchAll(/([#\w]+)\s*=\s*(:\w+)/g);
  for (const [, name = '', value = ''] of terms) {
    if ((names[name] ?? name) === schema.hash) return values[value];
  }
  return undefined;
}

function asBefore(schema: TableSchema, items: readonly Item[], hidden: Hidden): Item[] {
  return items.flatMap((item) => {
    const one = hidden.get(keyName(schema, keyOf(schema, item)));
    if (one === undefined) return [item];
    return one.before === undefined ? [] : [one.before];
  });
}

/**
 * Sends a Query or a Scan until it has as many items as its limit allows without the hidden ones. `hidden` returns the items
 * that are hidden when it is called.
 */
export async function tornPage(
  schema: TableSchema,
  body: Json,
  hidden: () => Hidden,
  send: (body: Json) => Promise<Answer>,
): Promise<Answer> {
  const limit = body.Limit as number | undefined;
  for (let more = hidden().size; ; more = 2 * more + hidden().size) {
    const answer = await send(limit === undefined || more === 0 ? body : { ...body, Limit: limit + more });
    const now = hidden();
    if (answer.status !== 200 || (now.size === 0 && more === 0)) return answer;
    const page = JSON.parse(answer.body) as { Items?: Item[]; LastEvaluatedKey?: Item };
    const items = asBefore(schema, page.Items ?? [], now);
    const isShort = limit !== undefined && items.length < limit && page.LastEvaluatedKey !== undefined;
    if (isShort && more < 1_000) continue;
    const cut = limit === undefined ? items : items.slice(0, limit);
    const last = cut.length < items.length ? cut.at(-1) : undefined;
    const LastEvaluatedKey = last === undefined ? page.LastEvaluatedKey : keyOf(schema, last);
    const counts = { Count: cut.length, ScannedCount: cut.length };
    return rewritten(answer, { ...page, Items: cut, ...counts, LastEvaluatedKey });
  }
}

/** Replaces the hidden items in the answer to a BatchGetItem by their versions before. */
export function tornBatch(
  answer: Answer,
  hiddenOf: (table: string) => readonly [TableSchema, Hidden],
): Answer {
  if (answer.status !== 200) return answer;
  const body = JSON.parse(answer.body) as { Responses?: Record<string, Item[]> };
  const Responses = Object.fromEntries(
    Object.entries(body.Responses ?? {}).map(([table, items]) => {
      const [schema, hidden] = hiddenOf(table);
      return [table, asBefore(schema, items, hidden)];
    }),
  );
  return rewritten(answer, { ...body, Responses });
}
