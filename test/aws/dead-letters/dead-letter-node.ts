/**
 * A node on a DynamoDB table and SQS queues of its own, with the same direct access to the dead-letter queue that an
 * operator of SQS has.
 */
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { onTestFinished } from 'vitest';
import { sqsDeadQueueName, sqsQueueName } from '../../../src/engines/aws/broker/sqs/definition.ts';
import { tableClient } from '../../../src/engines/aws/index.ts';
import { addressOf } from '../../../src/engines/aws/table/schema/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../../../src/service/service.ts';
import { asVerb } from '../../fixtures/verb-in-process.ts';
import {
  type CrashStandIns as CrashSite,
  startCrashStandIns,
} from '../../runs/crashpoints/crash-stand-ins.ts';
import { queue, ScenarioDriver } from '../../runs/crashpoints/scenario-driver.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';

export { leaseExpiredMs, queue } from '../../runs/crashpoints/scenario-driver.ts';

export type StandIns = CrashSite;
export const startStandIns = (): Promise<StandIns> => startCrashStandIns(1, {});

/** Number of messages in an SQS queue, as SQS reports it. */
export interface MessageCounts {
  readonly visible: number;
  readonly hidden: number;
}

export class DeadLetterNode {
  readonly standIns: StandIns;
  readonly stage: ScenarioDriver;
  /** Name of the SQS queue of normal priority. */
  readonly sqsQueue: string;
  /** Name of the dead-letter queue of the SQS queue of normal priority. */
  readonly sqsDeadQueue: string;
  readonly #table: string;
  readonly #client: SQSClient;

  private constructor(standIns: StandIns, stage: ScenarioDriver, table: string) {
    this.standIns = standIns;
    this.stage = stage;
    this.#table = table;
    this.sqsQueue = sqsQueueName(table, queue, 'normal');
    this.sqsDeadQueue = sqsDeadQueueName(table, queue, 'normal');
    this.#client = standInClient(standIns.sqs.url);
  }

  /** Opens a node with its own table and queues, for one test. */
  static async open(standIns: StandIns, log?: Log): Promise<DeadLetterNode> {
    const place = { ...(await standIns.createStore()), movedMs: standIns.movedMs };
    const move = async (ms: number): Promise<void> => void standIns.moveClock(ms);
    const stage = await ScenarioDriver.open({ store: place, move, onAcknowledged() {}, log });
    await stage.warmUp();
    const node = new DeadLetterNode(standIns, stage, place.table);
    onTestFinished(async () => {
      standIns.sqs.hook({});
      await stage.close();
      node.#client.destroy();
    });
    return node;
  }

  async #urlOf(name: string): Promise<string> {
    return (await this.#client.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl ?? '';
  }

  async messageCounts(name = this.sqsDeadQueue): Promise<MessageCounts> {
    const AttributeNames = [
      'ApproximateNumberOfMessages' as const,
      'ApproximateNumberOfMessagesNotVisible' as const,
    ];
    const QueueUrl = await this.#urlOf(name);
    const { Attributes } = await this.#client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames }),
    );
    return {
      visible: Number(Attributes?.ApproximateNumberOfMessages),
      hidden: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
    };
  }

  /** Receives and deletes all visible messages of an SQS queue. Returns their bodies. */
  async takeOut(name: string): Promise<string[]> {
    const QueueUrl = await this.#urlOf(name);
    const bodies: string[] = [];
    for (;;) {
      const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
      const { Messages = [] } = await this.#client.send(command);
      if (Messages.length === 0) return bodies;
      bodies.push(...Messages.map(({ Body = '' }: Message) => Body));
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
      await this.#client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  }

  /** Sends a message to an SQS queue directly. Returns the id of the message. */
  async put(name: string, body: string, group = body.slice(0, 20).replaceAll(/\W/g, '')): Promise<string> {
    const QueueUrl = await this.#urlOf(name);
    const ids = { MessageGroupId: group, MessageDeduplicationId: crypto.randomUUID() };
    const sent = await this.#client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, ...ids }));
    return sent.MessageId ?? '';
  }

  /** Submits a task whose dispatch message is moved to the dead-letter queue before a worker receives it. */
  async submitUnreceived(key: string): Promise<void> {
    await this.stage.submit(key);
    for (const body of await this.takeOut(this.sqsQueue)) await this.put(this.sqsDeadQueue, body, key);
  }

  /** Writes a task state that does not exist to a task's head, as a program other than Holdfast might. */
  async damage(key: string): Promise<void> {
    const place = addressOf(this.stage.id(key));
    const client = tableClient(clientOf(this.standIns.dynamo.url));
    await client.send(
      new UpdateItemCommand({
        TableName: this.#table,
        Key: { pk: { S: `T#${place?.slot}` }, sk: { S: 'H' } },
        UpdateExpression: 'SET st = :st',
        ExpressionAttributeValues: { ':st': { S: 'z' } },
      }),
    );
    client.destroy();
  }

  async drain(options: Partial<DrainDeadLettersRequest> = {}): Promise<DrainedDeadLetters> {
    const { signal } = new AbortController();
    const defaults = { tenant: queue.tenant, queues: [queue.queue], dryRun: false, dropUnreadable: false };
    const request = { ...defaults, limit: 1_000, signal, ...options };
    const { service } = this.stage;
    const [drained] = await asVerb(['dlq', 'drain'], () => service.drainDeadLetters(request));
    if (drained === undefined) throw new Error('nothing was drained');
    return drained;
  }
}
