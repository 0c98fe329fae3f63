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
import { asStoreError, failureOf } from '../sdk/errors.ts';
import { tableDefinition } from './schema/definition.ts';

const patienceMs = 120_000;
const lookMs = 500;

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
    if (failureOf(thrown) === 'noTable') return undefined;
    throw asStoreError(thrown, table);
  }
}

async function ttlOf(client: DynamoDBClient, table: string): Promise<string | undefined> {
  const asked = client.send(new DescribeTimeToLiveCommand({ TableName: table }));
  const told = await asked.catch((thrown: unknown) => {
    throw asStoreError(thrown, table);
  });
  const { TimeToLiveStatus: status, AttributeName: name } = told.TimeToLiveDescription ?? {};
  return status === 'ENABLED' || status === 'ENABLING' ? name : undefined;
}

function keysOf(schema: TableDescription['KeySchema']): string {
  return (schema ?? []).map((one) => one.AttributeName).join(', ');
}

function indexFaults(told: TableDescription): string[] {
  const faults: string[] = [];
  for (const index of tableDefinition.indexes) {
    const found = told.GlobalSecondaryIndexes?.find((one) => one.IndexName === index.name);
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

/** Compares what is there with the definition: what differs, in words; undefined where there is no such table. */
export async function checkTable(client: DynamoDBClient, table: string): Promise<string[] | undefined> {
  const told = await describe(client, table);
  if (told === undefined) return undefined;
  const { partition, sort, ttl } = tableDefinition;
  const faults = indexFaults(told);
  if (keysOf(told.KeySchema) !== `${partition}, ${sort}`)
    faults.unshift(`its keys are not ${partition}, ${sort}`);
  if ((await ttlOf(client, table)) !== ttl) faults.push(`its time to live is not on the attribute '${ttl}'`);
  return faults;
}

async function untilActive(client: DynamoDBClient, table: string, clock: Clock): Promise<void> {
  const untilMs = clock.monotonic() + patienceMs;
  while ((await describe(client, table))?.TableStatus !== 'ACTIVE' && clock.monotonic() < untilMs) {
    await clock.sleep(lookMs);
  }
}

/** Waits where somebody is making the table just now: nothing can be read of it before. */
export async function untilMade(client: DynamoDBClient, table: string, clock: Clock): Promise<void> {
  if ((await describe(client, table))?.TableStatus === 'CREATING') await untilActive(client, table, clock);
}

/** Makes the table and waits until it can be used. One that is there already, or is being made, is left as it is: false. */
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

/** Has expired items deleted. An error where something else is deleted by: one attribute at most. */
export async function enableTtl(client: DynamoDBClient, table: string): Promise<void> {
  const specification = { Enabled: true, AttributeName: tableDefinition.ttl };
  try {
    await client.send(
      new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification: specification }),
    );
  } catch (thrown) {
    // To ask for what is so already is refused; somebody else may have done it meanwhile.
    if ((await ttlOf(client, table)) === tableDefinition.ttl) return;
    throw asStoreError(thrown, table);
  }
}
