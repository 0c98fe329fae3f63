/** Fixture for the specs of the DynamoDB proxy: a proxy before a stand-in, and an SDK client for each. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoProxy, type DynamoProxyOptions, startDynamoProxy } from './dynamo-proxy.ts';

/** Creates a DynamoDB client, by default without retries, so that a test sees each answer. */
export function clientAt(endpoint: string, maxAttempts = 1): DynamoDBClient {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new DynamoDBClient({ endpoint, region: 'local', credentials, maxAttempts });
}

export interface ProxyFixture {
  readonly proxy: DynamoProxy;
  /** A client that calls the proxy. */
  readonly client: DynamoDBClient;
  /** A client that calls the stand-in directly. */
  readonly direct: DynamoDBClient;
  close(): Promise<void>;
}

let made = 0;

/**
 * Starts a DynamoDB proxy and creates the table `tableName()` with the keys pk and sk and the index `due` over d and
 * n, which projects q.
 */
export async function startProxyFixture(
  url: string,
  options: Partial<DynamoProxyOptions> = {},
): Promise<ProxyFixture> {
  made++;
  const direct = clientAt(url);
  await direct.send(
    new CreateTableCommand({
      TableName: tableName(),
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk', 'd', 'n'].map((AttributeName) => ({
        AttributeName,
        AttributeType: AttributeName === 'n' ? 'N' : 'S',
      })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'd', KeyType: 'HASH' },
            { AttributeName: 'n', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['q'] },
        },
      ],
    }),
  );
  const proxy = await startDynamoProxy({ upstream: url, seed: 1, ...options });
  const client = clientAt(proxy.url);
  return {
    proxy,
    client,
    direct,
    async close() {
      client.destroy();
      direct.destroy();
      await proxy.close();
    },
  };
}

/** Returns the name of the table that the newest fixture created. */
export function tableName(): string {
  return `table-${made}`;
}
