import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../ports/clock.ts';
import { asStoreError, errorKindOf } from '../sdk/errors.ts';
import { tableDefinition } from './schema/definition.ts';

const longestWaitMs = 120_000;
const pollMs = 500;

function createInput(table: string): CreateTableCommandInput {
  const { partition, sort, indexes, billing } = tableDefinition;
  const keySchema = (hash: string, range: string) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ];
  return {
    TableName: table,
    BillingMode: billing,
    KeySchema: keySchema(partition, sort),
    AttributeDefinitions: [
      { AttributeName: partition, AttributeType: 'S' },
      { AttributeName: sort, AttributeType: 'S' },
      ...indexes.flatMap((index) => [
        { AttributeName: index.partition, AttributeType: 'S' as const },
        { AttributeName: index.sort, AttributeType: index.sortType },
      ]),
    ],
    GlobalSecondaryIndexes: indexes.map((index) => ({
      IndexName: index.name,
      KeySchema: keySchema(index.partition, index.sort),
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: [...index.projected] },
    })),
  };
}

async function describe(client: DynamoDBClient, table: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: table }))).Table;
  } catch (thrown) {
    if (errorKindOf(thrown) === 'noTable') return undefined;
    throw asStoreError(thrown, table);
  }
}

async function ttlOf(client: DynamoDBClient, table: string): Promise<string | undefined> {
  const request = client.send(new DescribeTimeToLiveCommand({ TableName: table }));
  const description = await request.catch((thrown: unknown) => {
    throw asStoreError(thrown, table);
  });
  const { TimeToLiveStatus: status, AttributeName: name } = description.TimeToLiveDescription ?? {};
  return status === 'ENABLED' || status === 'ENABLING' ? name : undefined;
}

function keysOf(schema: TableDescription['KeySchema']): string {
  return (schema ?? []).map((one) => one.AttributeName).join(', ');
}

function indexFaults(description: TableDescription): string[] {
  const faults: string[] = [];
  for (const index of tableDefinition.indexes) {
    const found = description.GlobalSecondaryIndexes?.find((one) => one.IndexName === index.name);
    if (found === undefined) {
      faults.push(`it has no index '${index.name}'`);
      continue;
    }
    const keys = `${index.partition}, ${index.sort}`;
    if (keysOf(found.KeySchema) !== keys)
      faults.push(`the keys of its index '${index.name}' are not ${keys}`);
    const projected = new Set(found.Projection?.NonKeyAttributes ?? []);
    const isAll = found.Projection?.ProjectionType === 'ALL';
    const lacking = index.projected.filter((name) => !isAll && !projected.has(name));
    if (lacking.length > 0) faults.push(`its index '${index.name}' does not project ${lacking.join(', ')}`);
  }
  return faults;
}

/**
 * Compares a DynamoDB table with the definition of the engine's table. Returns a description of each difference, or
 * undefined if the table does not exist.
 */
export async function checkTable(client: DynamoDBClient, table: string): Promise<string[] | undefined> {
  const description = await describe(client, table);
  if (description === undefined) return undefined;
  const { partition, sort, ttl } = tableDefinition;
  const faults = indexFaults(description);
  if (keysOf(description.KeySchema) !== `${partition}, ${sort}`)
    faults.unshift(`its keys are not ${partition}, ${sort}`);
  if ((await ttlOf(client, table)) !== ttl) faults.push(`its time to live is not on the attribute '${ttl}'`);
  return faults;
}

async function untilActive(client: DynamoDBClient, table: string, clock: Clock): Promise<void> {
  const untilMs = clock.monotonic() + longestWaitMs;
  while ((await describe(client, table))?.TableStatus !== 'ACTIVE' && clock.monotonic() < untilMs) {
    await clock.sleep(pollMs);
  }
}

/**
 * Waits while another process is creating the DynamoDB table, because items cannot be read before the table is active.
 */
export async function waitWhileCreating(client: DynamoDBClient, table: string, clock: Clock): Promise<void> {
  if ((await describe(client, table))?.TableStatus === 'CREATING') await untilActive(client, table, clock);
}

/**
 * Creates the DynamoDB table and waits until it is active. Returns false and changes nothing if the table exists
 * already or is being created.
 */
export async function createTable(client: DynamoDBClient, table: string, clock: Clock): Promise<boolean> {
  try {
    await client.send(new CreateTableCommand(createInput(table)));
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'ResourceInUseException') return false;
    throw asStoreError(thrown, table);
  }
  await untilActive(client, table, clock);
  await enableTtl(client, table);
  return true;
}

/**
 * Turns on the deletion of expired items (TTL). Fails if TTL already uses another attribute: a table has at most one
 * TTL attribute.
 */
export async function enableTtl(client: DynamoDBClient, table: string): Promise<void> {
  const specification = { Enabled: true, AttributeName: tableDefinition.ttl };
  try {
    await client.send(
      new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification: specification }),
    );
  } catch (thrown) {
    // DynamoDB refuses to enable TTL a second time. Another process may have enabled TTL in the meantime.
    if ((await ttlOf(client, table)) === tableDefinition.ttl) return;
    throw asStoreError(thrown, table);
  }
}
