/** Sends requests with the credentials of a role, and says whether IAM denies them. */
import * as cloudformation from '@aws-sdk/client-cloudformation';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import * as sqs from '@aws-sdk/client-sqs';
import * as ssm from '@aws-sdk/client-ssm';
import type { AwsClientConfig } from '../../stand-ins/ministack-aws.ts';
import type { Input, RecordedCall } from './calls.ts';

interface Sender {
  send(command: never): Promise<unknown>;
  destroy(): void;
}

type SdkModule = Readonly<Record<string, unknown>>;

const modules: Readonly<Record<string, { readonly sdk: SdkModule; readonly client: string }>> = {
  CloudFormation: { sdk: cloudformation, client: 'CloudFormationClient' },
  DynamoDB: { sdk: dynamodb, client: 'DynamoDBClient' },
  ECS: { sdk: ecs, client: 'ECSClient' },
  IAM: { sdk: iam, client: 'IAMClient' },
  SQS: { sdk: sqs, client: 'SQSClient' },
  SSM: { sdk: ssm, client: 'SSMClient' },
};

/** Clients of one role. */
export class Replay {
  readonly #config: AwsClientConfig;
  readonly #clients = new Map<string, Sender>();

  constructor(config: AwsClientConfig) {
    this.#config = config;
  }

  /**
   * Returns true if IAM denies the request. An answer, and each other error, comes from behind IAM: the recorded request need
   * not fit the items that exist.
   */
  async isDenied(service: string, operation: string, input: object): Promise<boolean> {
    const Command = modules[service]?.sdk[`${operation}Command`] as new (input: object) => never;
    try {
      await this.#clientOf(service).send(new Command(input));
      return false;
    } catch (thrown) {
      const { name = '', $metadata } = thrown as Error & { $metadata?: { httpStatusCode?: number } };
      if ($metadata === undefined) throw thrown;
      return /AccessDenied/.test(name) || $metadata.httpStatusCode === 403;
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.destroy();
  }

  #clientOf(service: string): Sender {
    const known = this.#clients.get(service);
    if (known !== undefined) return known;
    const { sdk, client } = modules[service] ?? { sdk: {}, client: '' };
    const Client = sdk[client] as new (config: object) => Sender;
    const made = new Client({ ...this.#config, maxAttempts: 1, useQueueUrlAsEndpoint: false, md5: false });
    this.#clients.set(service, made);
    return made;
  }
}

/** The names that a recorded request gets in place of those of its test. */
export interface Names {
  readonly table: string;
  readonly queue: string;
  readonly deadQueue: string;
  /** A queue of the installation that the worker does not serve. */
  readonly unservedQueue: string;
  readonly queueUrl: (name: string) => string;
  readonly cluster: string;
}

/** Returns the input of a recorded request for the table and a queue of an installation. */
export function inputFor({ service, input }: RecordedCall, names: Names): object {
  if (service === 'ECS') return { ...input, cluster: names.cluster };
  const { TableName, RequestItems, TransactItems, QueueUrl, QueueName } = input;
  const sqsName = (name: string): string => (name.endsWith('-dead.fifo') ? names.deadQueue : names.queue);
  const named: Partial<Record<keyof Input, unknown>> = {
    ...(TableName !== undefined && { TableName: names.table }),
    ...(RequestItems !== undefined && { RequestItems: { [names.table]: Object.values(RequestItems)[0] } }),
    ...(TransactItems !== undefined && {
      TransactItems: TransactItems.map((item) => inTable(item, names.table)),
    }),
    ...(QueueUrl !== undefined && { QueueUrl: names.queueUrl(sqsName(QueueUrl)) }),
    ...(QueueName !== undefined && { QueueName: sqsName(QueueName) }),
    // A long poll would wait for a message.
    ...(input.WaitTimeSeconds !== undefined && { WaitTimeSeconds: 0 }),
  };
  return { ...input, ...named };
}

function inTable(item: Readonly<Record<string, object | undefined>>, TableName: string): object {
  return Object.fromEntries(Object.entries(item).map(([part, request]) => [part, { ...request, TableName }]));
}
