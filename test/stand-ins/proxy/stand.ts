/** A DynamoDB stand-in, the proxy before it, and SDK clients on both, for the specs of the proxy. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoProxy, type DynamoProxyOptions, startDynamoProxy } from './dynamo-proxy.ts';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startDynoxide(): Promise<Running> {
  const port = await freePort();
  const binary = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/dynoxide');
  const child = spawn(binary, ['serve', '--port', String(port)], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; ; i++) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answered) break;
    if (i > 200) throw new Error('dynoxide did not start');
    await sleep(20);
  }
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill();
      }),
  };
}

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
