/** Fixture for the specs of the DynamoDB proxy: a proxy before a stand-in, and an SDK client for each. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoProxy, type DynamoProxyOptions, startDynamoProxy } from './dynamo-proxy.ts';

/** Creates a client, by default without retries, so that a spec sees each answer. */
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

/** Starts a proxy and creates the table `tableName()`: keys pk and sk; index `due` over d and n, which projects q. */
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

/** The name of the table of the newest fixture. */
export function tableName(): string {
  return `table-${made}`;
}
