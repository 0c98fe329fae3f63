import { ArnFormat, CfnOutput, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { prefixFault } from '../../engines/aws/broker/sqs/definition.ts';
import type { PermissionName } from '../../engines/aws/policies.ts';
import { tableDefinition } from '../../engines/aws/table/schema/definition.ts';
import { refusal } from '../refusal.ts';
import { grant, type StoreArns } from './grants.ts';
import { createQueues, type HoldfastQueueProps, type HoldfastSqsQueue, sqsQueuesFor } from './queues.ts';

/** Properties of `HoldfastStore`. */
export interface HoldfastStoreProps {
  /** The name of the table, 3 to 255 letters, digits, `.`, `_` or `-`. It must be a plain text: names of queues follow from it. */
  readonly tableName: string;
  /**
   * The first part of the names of the SQS queues, as of `--queue-prefix`. Set it to the former name after a restore into
   * another table. Default: the name of the table.
   */
  readonly queuePrefix?: string;
  /** The queues of the installation, at least one. Add that of the canary, `holdfast-canary`, if one is deployed. */
  readonly queues: HoldfastQueueProps[];
  /** A key of the account that encrypts the table and the queues. Default: keys of AWS, which cost nothing. */
  readonly encryptionKey?: kms.IKey;
  /** Days for which the table can be restored to any second, 1 to 35. Default: 35. */
  readonly recoveryDays?: number;
  /** False lets the table be deleted, for an installation that holds nothing of worth. Default: true. */
  readonly deletionProtection?: boolean;
  /** The fate of table and queues when they leave the template. Default: they are retained. */
  readonly removalPolicy?: RemovalPolicy;
  /** The namespace of the metrics in CloudWatch. Default: `Holdfast/` and the name of the table. */
  readonly metricsNamespace?: string;
}

/** Attributes by which a store of another stack or another installation method is used. */
export interface HoldfastStoreAttributes {
  readonly tableName: string;
  readonly queuePrefix?: string;
  readonly queues: HoldfastQueueProps[];
  readonly encryptionKey?: kms.IKey;
  readonly metricsNamespace?: string;
}

/** Queues to which a grant is limited. */
export interface HoldfastGrantProps {
  /**
   * Names of queues. Messages of other queues cannot be received or sent; the table stays one for all. Default: every queue
   * of the store.
   */
  readonly queues?: string[];
}

/** The table and the queues of an installation, made here or elsewhere. */
export interface IHoldfastStore {
  readonly tableName: string;
  readonly queuePrefix: string;
  readonly queues: HoldfastQueueProps[];
  readonly sqsQueues: HoldfastSqsQueue[];
  readonly tableArn: string;
  readonly metricsNamespace: string;
  /** Lets the role make the calls of a server. */
  grantServe(role: iam.IGrantable): void;
  /** Lets the role make the calls of a worker that polls SQS itself. */
  grantWork(role: iam.IGrantable, props?: HoldfastGrantProps): void;
  /** Lets the role accept tasks into the table, but receive none. */
  grantSubmit(role: iam.IGrantable, props?: HoldfastGrantProps): void;
  /** Lets the role read tasks. */
  grantRead(role: iam.IGrantable): void;
  /** Lets the role, of an operator, run `dlq drain` and `queues redispatch`. */
  grantOperate(role: iam.IGrantable, props?: HoldfastGrantProps): void;
  /** Lets the role run `aws init`, which registers the queues, on the table and the queues that CloudFormation made. */
  grantRegister(role: iam.IGrantable): void;
}

abstract class StoreBase extends Construct implements IHoldfastStore {
  abstract readonly tableName: string;
  abstract readonly queuePrefix: string;
  abstract readonly queues: HoldfastQueueProps[];
  abstract readonly sqsQueues: HoldfastSqsQueue[];
  abstract readonly tableArn: string;
  abstract readonly metricsNamespace: string;
  protected abstract readonly key: kms.IKey | undefined;

  grantServe(role: iam.IGrantable): void {
    this.#grant(role, ['serve'], {});
  }

  grantWork(role: iam.IGrantable, props: HoldfastGrantProps = {}): void {
    this.#grant(role, ['work'], props);
  }

  grantSubmit(role: iam.IGrantable, props: HoldfastGrantProps = {}): void {
    this.#grant(role, ['submit'], props);
  }

  grantRead(role: iam.IGrantable): void {
    this.#grant(role, ['read'], {});
  }

  grantOperate(role: iam.IGrantable, props: HoldfastGrantProps = {}): void {
    this.#grant(role, ['drain', 'redispatch'], props);
  }

  grantRegister(role: iam.IGrantable): void {
    this.#grant(role, ['register'], {});
  }

  #grant(role: iam.IGrantable, names: readonly PermissionName[], { queues }: HoldfastGrantProps): void {
    if (queues?.length === 0)
      throw refusal(this, 'a grant is limited to no queue.', 'Leave queues out to grant every queue.');
    for (const name of queues ?? []) {
      if (!this.queues.some((queue) => queue.name === name))
        throw refusal(
          this,
          `a grant names the queue '${name}', which the store does not have.`,
          'Add it to queues.',
        );
    }
    const chosen = this.sqsQueues.filter(({ queue }) => queues?.includes(queue) ?? true);
    const arns: StoreArns = {
      table: this.tableArn,
      queues: chosen.map(({ arn }) => arn),
      deadQueues: chosen.map(({ deadArn }) => deadArn),
    };
    grant(role, names, arns, this.key);
  }
}

/**
 * The stateful part of an installation: the DynamoDB table and the SQS FIFO queues with their dead-letter queues, by the
 * definition that `holdfast aws init` uses. Both are retained when their stack is deleted.
 *
 * A role that writes the table can write the tasks of every tenant: only the queues of SQS can part tenants for it. Tenants
 * that do not trust each other use workers over gRPC, which the server's policy parts.
 */
export class HoldfastStore extends StoreBase {
  /** Uses a table and queues that exist, of another stack or of `holdfast aws init`. */
  static fromAttributes(scope: Construct, id: string, attrs: HoldfastStoreAttributes): IHoldfastStore {
    return new ImportedStore(scope, id, attrs);
  }

  readonly tableName: string;
  readonly queuePrefix: string;
  readonly queues: HoldfastQueueProps[];
  readonly sqsQueues: HoldfastSqsQueue[];
  readonly tableArn: string;
  readonly metricsNamespace: string;
  /** The table, for what these properties do not say. */
  readonly table: dynamodb.TableV2;
  protected readonly key: kms.IKey | undefined;

  constructor(scope: Construct, id: string, props: HoldfastStoreProps) {
    super(scope, id);
    checkNames(this, props);
    const { recoveryDays = 35, removalPolicy = RemovalPolicy.RETAIN, encryptionKey } = props;
    const { deletionProtection = true } = props;
    if (!Number.isInteger(recoveryDays) || recoveryDays < 1 || recoveryDays > 35)
      throw refusal(this, `recoveryDays is ${recoveryDays}.`, 'Write a whole number from 1 to 35.');
    if (deletionProtection && removalPolicy === RemovalPolicy.DESTROY) {
      throw refusal(
        this,
        'the table is protected from deletion and to be destroyed with its stack, so that the stack could not be deleted.',
        'Leave removalPolicy out, or set deletionProtection to false.',
      );
    }
    this.tableName = props.tableName;
    this.queuePrefix = props.queuePrefix ?? props.tableName;
    this.queues = props.queues;
    this.metricsNamespace = props.metricsNamespace ?? `Holdfast/${props.tableName}`;
    this.key = encryptionKey;
    this.table = createTable(this, props, { recoveryDays, removalPolicy, deletionProtection });
    this.tableArn = this.table.tableArn;
    this.sqsQueues = createQueues(this, {
      ...{ prefix: this.queuePrefix, queues: this.queues, removalPolicy },
      ...(encryptionKey !== undefined && { encryptionKey }),
    });
    new CfnOutput(this, 'TableName', { value: this.table.tableName });
  }
}

class ImportedStore extends StoreBase {
  readonly tableName: string;
  readonly queuePrefix: string;
  readonly queues: HoldfastQueueProps[];
  readonly sqsQueues: HoldfastSqsQueue[];
  readonly tableArn: string;
  readonly metricsNamespace: string;
  protected readonly key: kms.IKey | undefined;

  constructor(scope: Construct, id: string, attrs: HoldfastStoreAttributes) {
    super(scope, id);
    checkNames(this, attrs);
    this.tableName = attrs.tableName;
    this.queuePrefix = attrs.queuePrefix ?? attrs.tableName;
    this.queues = attrs.queues;
    this.key = attrs.encryptionKey;
    this.metricsNamespace = attrs.metricsNamespace ?? `Holdfast/${attrs.tableName}`;
    this.tableArn = Stack.of(this).formatArn({
      ...{ service: 'dynamodb', resource: 'table', resourceName: attrs.tableName },
    });
    const arnOf = (name: string): string =>
      Stack.of(this).formatArn({ service: 'sqs', resource: name, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    this.sqsQueues = sqsQueuesFor(this.queuePrefix, this.queues).map(
      ({ queue, priority, name, deadName }) => ({
        ...{ queue: queue.queue, tenant: queue.tenant, priority, name, deadName },
        ...{ arn: arnOf(name), deadArn: arnOf(deadName) },
      }),
    );
  }
}

function checkNames(scope: Construct, { tableName, queuePrefix, queues }: HoldfastStoreAttributes): void {
  const prefix = queuePrefix ?? tableName;
  for (const text of [tableName, prefix, ...queues.flatMap((one) => [one.name, one.tenant ?? ''])]) {
    if (!Token.isUnresolved(text)) continue;
    const help = 'Write the names as plain texts: the names of SQS queues are computed from them.';
    throw refusal(scope, 'a name is known at deployment only.', help);
  }
  if (!/^[A-Za-z0-9._-]{3,255}$/.test(tableName))
    throw refusal(
      scope,
      `'${tableName}' is not a name of a table.`,
      'Write 3 to 255 letters, digits, dots, _ or -.',
    );
  const fault = prefixFault(prefix);
  if (fault !== undefined) {
    const help = 'Give queuePrefix: 1 to 24 letters, digits, - and single _, the last character no _.';
    throw refusal(scope, `the names of SQS queues cannot begin with '${prefix}': it ${fault}.`, help);
  }
  if (queues.length === 0) throw refusal(scope, 'the store has no queue.', 'Name at least one in queues.');
  const names = queues.map(({ tenant = 'default', name }) => `${tenant}/${name}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw refusal(scope, `the queue ${twice} is named twice.`, 'Name each queue once.');
}

function createTable(
  scope: Construct,
  { tableName, encryptionKey }: HoldfastStoreProps,
  options: {
    readonly recoveryDays: number;
    readonly removalPolicy: RemovalPolicy;
    readonly deletionProtection: boolean;
  },
): dynamodb.TableV2 {
  const { partition, sort, ttl, indexes } = tableDefinition;
  const { STRING, NUMBER } = dynamodb.AttributeType;
  const { recoveryDays, removalPolicy, deletionProtection } = options;
  return new dynamodb.TableV2(scope, 'Table', {
    tableName,
    partitionKey: { name: partition, type: STRING },
    sortKey: { name: sort, type: STRING },
    billing: dynamodb.Billing.onDemand(),
    timeToLiveAttribute: ttl,
    pointInTimeRecoverySpecification: {
      pointInTimeRecoveryEnabled: true,
      recoveryPeriodInDays: recoveryDays,
    },
    deletionProtection,
    removalPolicy,
    encryption:
      encryptionKey === undefined
        ? dynamodb.TableEncryptionV2.dynamoOwnedKey()
        : dynamodb.TableEncryptionV2.customerManagedKey(encryptionKey),
    globalSecondaryIndexes: indexes.map((index) => ({
      indexName: index.name,
      partitionKey: { name: index.partition, type: STRING },
      sortKey: { name: index.sort, type: index.sortType === 'N' ? NUMBER : STRING },
      projectionType: dynamodb.ProjectionType.INCLUDE,
      nonKeyAttributes: [...index.projected],
    })),
  });
}
