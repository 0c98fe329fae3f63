/**
 * Answers stale reads from a copy of a table: the proxy replaces the table's name in the request and in the answer,
 * and nothing else.
 */
import type { Answer, Json } from '../../call.ts';
import type { CopyKind } from './copies.ts';

/** Returns the name of the copy to read instead of this table, or undefined to read the table itself. */
export type ReadFrom = (table: string, kind: CopyKind) => string | undefined;

export interface RedirectedRead {
  readonly body: Json;
  /**
   * Maps the name of each table copy that the request reads to the name of the original table. Empty if the request was
   * not changed.
   */
  readonly names: ReadonlyMap<string, string>;
}

function kindOf(operation: string, body: Json): CopyKind | undefined {
  if (body.ConsistentRead === true) return undefined;
  if (operation === 'Query' || operation === 'Scan')
    return body.IndexName === undefined ? 'behind' : 'lagging';
  return operation === 'GetItem' ? 'behind' : undefined;
}

export function redirected(operation: string, body: Json, readFrom: ReadFrom): RedirectedRead {
  const names = new Map<string, string>();
  const to = (table: string, kind: CopyKind): string => {
    const copy = readFrom(table, kind);
    if (copy !== undefined) names.set(copy, table);
    return copy ?? table;
  };
  if (operation === 'BatchGetItem') {
    const requests = Object.entries((body.RequestItems ?? {}) as Record<string, Json>);
    const RequestItems = Object.fromEntries(
      requests.map(([table, one]) => [one.ConsistentRead === true ? table : to(table, 'behind'), one]),
    );
    return { body: names.size === 0 ? body : { ...body, RequestItems }, names };
  }
  const kind = kindOf(operation, body);
  if (kind === undefined || typeof body.TableName !== 'string') return { body, names };
  const table = to(body.TableName, kind);
  return { body: table === body.TableName ? body : { ...body, TableName: table }, names };
}

function renamedKeys(member: unknown, names: ReadonlyMap<string, string>): unknown {
  if (typeof member !== 'object' || member === null) return member;
  return Object.fromEntries(Object.entries(member).map(([name, value]) => [names.get(name) ?? name, value]));
}

function renamedCapacity(one: Json, names: ReadonlyMap<string, string>): Json {
  return { ...one, TableName: names.get(String(one.TableName)) ?? one.TableName };
}

/** Replaces the names of the proxy's copies in an answer by the names of their tables. */
export function backFrom(answer: Answer, names: ReadonlyMap<string, string>): Answer {
  if (names.size === 0) return answer;
  const { Responses, UnprocessedKeys, ConsumedCapacity, ...rest } = JSON.parse(answer.body) as Json;
  const capacity = Array.isArray(ConsumedCapacity)
    ? ConsumedCapacity.map((one) => renamedCapacity(one, names))
    : ConsumedCapacity && renamedCapacity(ConsumedCapacity as Json, names);
  const body = {
    ...rest,
    ...(Responses !== undefined && { Responses: renamedKeys(Responses, names) }),
    ...(UnprocessedKeys !== undefined && { UnprocessedKeys: renamedKeys(UnprocessedKeys, names) }),
    ...(capacity !== undefined && { ConsumedCapacity: capacity }),
  };
  return rewritten(answer, body);
}

/** Replaces the body of an answer, and removes the checksum header, which no longer fits the body. */
export function rewritten(answer: Answer, body: Json): Answer {
  const { 'x-amz-crc32': _, ...headers } = answer.headers;
  return { ...answer, headers, body: JSON.stringify(body) };
}
