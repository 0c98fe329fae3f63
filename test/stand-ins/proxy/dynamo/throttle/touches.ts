import type { Json } from '../../call.ts';
import type { Item } from '../lag/item.ts';
import { keyOf, type Schemas, type TableSchema } from '../lag/schemas.ts';

export type Names = Readonly<Record<string, string>>;

/** One item that a request reads, writes or checks. */
export interface Touch {
  readonly schema: TableSchema;
  readonly kind: 'read' | 'write' | 'check';
  readonly key: Item;
  readonly how: 'put' | 'update' | 'delete' | 'check' | 'get';
  /** The item of a put; undefined for other operations. */
  readonly item?: Item | undefined;
  /** The part of the request for this item; for an update it has the expression, names and values. */
  readonly body: Json;
}

const transactParts = {
  Put: 'put',
  Update: 'update',
  Delete: 'delete',
  ConditionCheck: 'check',
  Get: 'get',
} as const;
const single: Readonly<Record<string, Touch['how']>> = {
  PutItem: 'put',
  UpdateItem: 'update',
  DeleteItem: 'delete',
  GetItem: 'get',
};

type Part = readonly [how: Touch['how'], body: Json];

function transactionParts(body: Json): readonly Part[] {
  return ((body.TransactItems as readonly Json[] | undefined) ?? []).flatMap((part) =>
    Object.entries(transactParts).flatMap(([name, how]): readonly Part[] =>
      part[name] === undefined ? [] : [[how, part[name] as Json]],
    ),
  );
}

function batchWriteParts(body: Json): readonly Part[] {
  const tables = Object.entries((body.RequestItems ?? {}) as Record<string, readonly Json[]>);
  return tables.flatMap(([TableName, requests]) =>
    requests.map((one): Part => {
      const put = one.PutRequest as Json | undefined;
      return put === undefined
        ? ['delete', { TableName, ...(one.DeleteRequest as Json) }]
        : ['put', { TableName, ...put }];
    }),
  );
}

function batchGetParts(body: Json): readonly Part[] {
  const tables = Object.entries((body.RequestItems ?? {}) as Record<string, Json>);
  return tables.flatMap(([TableName, { Keys }]) =>
    (Keys as readonly Item[]).map((Key): Part => ['get', { TableName, Key }]),
  );
}

function partsOf(operation: string, body: Json): readonly Part[] {
  const how = single[operation];
  if (how !== undefined) return [[how, body]];
  if (operation.startsWith('Transact')) return transactionParts(body);
  if (operation === 'BatchWriteItem') return batchWriteParts(body);
  return operation === 'BatchGetItem' ? batchGetParts(body) : [];
}

/** Returns the items that a request names by their keys, in the order of the request. A Query or a Scan names none. */
export async function touchesOf(schemas: Schemas, operation: string, body: Json): Promise<readonly Touch[]> {
  const touches: Touch[] = [];
  for (const [how, part] of partsOf(operation, body)) {
    const schema = await schemas.of(String(part.TableName));
    if (schema === undefined) continue;
    const item = how === 'put' ? (part.Item as Item) : undefined;
    const key = item === undefined ? (part.Key as Item) : keyOf(schema, item);
    const kind = how === 'get' ? 'read' : how === 'check' ? 'check' : 'write';
    touches.push({ schema, kind, key, how, item, body: part });
  }
  return touches;
}

/** Returns the tables that a request names. */
export function tablesOf(operation: string, body: Json): readonly string[] {
  if (typeof body.TableName === 'string') return [body.TableName];
  return [...new Set(partsOf(operation, body).map(([, part]) => String(part.TableName)))];
}

/** Returns the condition, update, key condition and filter expressions of a request, part by part. */
export function expressionsOf(operation: string, body: Json): readonly string[] {
  const parts = partsOf(operation, body).map(([, part]) => part);
  const names = ['ConditionExpression', 'UpdateExpression', 'KeyConditionExpression', 'FilterExpression'];
  return (parts.length === 0 ? [body] : parts).flatMap((part) =>
    names.flatMap((name) => (typeof part[name] === 'string' ? [part[name]] : [])),
  );
}
