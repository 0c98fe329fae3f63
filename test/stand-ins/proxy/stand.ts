/** The proxy before a DynamoDB stand-in, and SDK clients on both, for the specs of the proxy. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoProxy, type DynamoProxyOptions, startDynamoProxy } from './dynamo-proxy.ts';

/** A client that does not retry, unless it is told to, so that each answer is seen. */
export function clientAt(endpoint: string, maxAttempts = 1): DynamoDBClient {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new DynamoDBClient({ endpoint, region: 'local', credentials, maxAttempts });
}

export interface Stand {
  readonly proxy: DynamoProxy;
  /** Through the proxy. */
  readonly client: DynamoDBClient;
  /** Past it. */
  readonly direct: DynamoDBClient;
  close(): Promise<void>;
}

let made = 0;

/** A proxy and a new table: keys pk, sk; index `due` over d, n, which projects q. Its name: `tableName()`. */
export async function standAt(url: string, options: Partial<DynamoProxyOptions> = {}): Promise<Stand> {
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

/** Of the newest stand. */
export function tableName(): string {
  return `table-${made}`;
}
