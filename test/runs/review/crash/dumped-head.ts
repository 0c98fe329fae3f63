/** Reads the head of a task where the store has it, past the server: the item of the table, or the row of the file. */

import type { DatabaseSync } from 'node:sqlite';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { headOf } from '../../../../src/engines/aws/table/items/rows.ts';
import { addressOf } from '../../../../src/engines/aws/table/schema/ids.ts';
import { headKey } from '../../../../src/engines/aws/table/schema/keys.ts';
import { addressOf as rowOf } from '../../../../src/engines/sqlite/rows/ids.ts';
import { begun } from '../../../../src/engines/sqlite/rows/rows.ts';
import { clientOf } from '../../../stand-ins/dynoxide.ts';
import { readCopy } from '../site/file-copy.ts';
import type { Site } from '../site/site.ts';

/** The fields of a head that a claim, a heartbeat and an expiry change. */
export interface DumpedHead {
  readonly isRunning: boolean;
  readonly fencingToken: number;
  readonly version: number;
  readonly attempt: number;
  readonly losses: number;
  readonly leaseEndAtMs: number;
  readonly timeoutAtMs: number;
  readonly begun: boolean;
  readonly worker: string;
  readonly leaseSecret: string;
  /** The item or the row as the store has it, in short. */
  readonly raw: string;
}

/** Opens a reader of heads. */
export function headReader({ aws, file }: Site): { read(id: string): Promise<DumpedHead>; close(): void } {
  if (aws !== undefined) {
    const client = new DynamoDBClient({ ...clientOf(aws.table.url) });
    return { read: (id) => fromTable(client, aws.tableName, id), close: () => client.destroy() };
  }
  return {
    read: async (id) => readCopy(file ?? '', (database) => fromFile(database, id)),
    close() {},
  };
}

async function fromTable(client: DynamoDBClient, TableName: string, id: string): Promise<DumpedHead> {
  const address = addressOf(id);
  if (address === undefined) throw new Error(`${id} is no id of a table`);
  const { Item } = await client.send(
    new GetItemCommand({ TableName, Key: headKey(address), ConsistentRead: true }),
  );
  if (Item === undefined) return noHead;
  const head = headOf(Item);
  const shown = ['st', 'rv', 'v', 'tk', 'le', 'bg'].flatMap((name) => {
    const value = Item[name]?.N ?? Item[name]?.S;
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return {
    ...head,
    isRunning: head.state === 'running',
    leaseEndAtMs: head.leaseEndAtMs ?? 0,
    timeoutAtMs: head.timeoutAtMs ?? 0,
    raw: `H ${shown.join(' ')} hd=${Item.hd?.B?.length ?? 0} bytes`,
  };
}

const columns = `state, revision, version, fencing_token, attempt, losses, flags, lease_end, timeout_at, worker, lease_secret`;
const running = 2;

function fromFile(database: DatabaseSync, id: string): DumpedHead {
  const row = database.prepare(`SELECT ${columns} FROM task WHERE seq = ?`).get(rowOf(id)?.seq ?? 0) as
    | Readonly<Record<string, number | string | null>>
    | undefined;
  if (row === undefined) return noHead;
  const number = (name: string): number => Number(row[name] ?? 0);
  const shown = ['state', 'revision', 'version', 'fencing_token', 'flags', 'lease_end'];
  return {
    isRunning: row.state === running,
    fencingToken: number('fencing_token'),
    version: number('version'),
    attempt: number('attempt'),
    losses: number('losses'),
    leaseEndAtMs: number('lease_end'),
    timeoutAtMs: number('timeout_at'),
    begun: (number('flags') & begun) !== 0,
    worker: String(row.worker),
    leaseSecret: String(row.lease_secret),
    raw: shown.map((name) => `${name}=${row[name]}`).join(' '),
  };
}

/** A task that was never claimed has no head in the table. */
const noHead: DumpedHead = {
  ...{
    isRunning: false,
    fencingToken: 0,
    version: 1,
    attempt: 0,
    losses: 0,
    leaseEndAtMs: 0,
    timeoutAtMs: 0,
  },
  ...{ begun: false, worker: '', leaseSecret: '', raw: 'no head' },
};
