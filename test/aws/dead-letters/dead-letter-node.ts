/** A node on a table and its queues, with the dead-letter queue at hand, as an operator of SQS sees it. */
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
import { placeOf } from '../../../src/engines/aws/table/schema/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../../../src/service/service.ts';
import { type Site as CrashSite, startSite } from '../../runs/crashpoints/crash-stand-ins.ts';
import { queue, Stage } from '../../runs/crashpoints/stage.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';

export { leaseExpiredMs, queue } from '../../runs/crashpoints/stage.ts';

export type StandIns = CrashSite;
export const startStandIns = (): Promise<StandIns> => startSite(1, {});

/** What SQS says lies in a queue. */
export interface Lying {
  readonly visible: number;
  readonly hidden: number;
}

export class Site {
  readonly standIns: StandIns;
  readonly stage: Stage;
  /** Names of the two SQS queues. */
  readonly sqsQueue: string;
  readonly dead: string;
  readonly #table: string;
  readonly #client: SQSClient;

  private constructor(standIns: StandIns, stage: Stage, table: string) {
    this.standIns = standIns;
    this.stage = stage;
    this.#table = table;
    this.sqsQueue = sqsQueueName(table, queue, 'normal');
    this.dead = sqsDeadQueueName(table, queue, 'normal');
    this.#client = standInClient(standIns.sqs.url);
  }

  /** With a table and queues of its own, for one test. */
  static async open(standIns: StandIns, log?: Log): Promise<Site> {
    const place = { ...(await standIns.place()), movedMs: standIns.movedMs };
    const move = async (ms: number): Promise<void> => void standIns.move(ms);
    const stage = await Stage.open({ place, move, promise() {}, log });
    await stage.warmUp();
    const site = new Site(standIns, stage, place.table);
    onTestFinished(async () => {
      standIns.sqs.hook({});
      await stage.close();
      site.#client.destroy();
    });
    return site;
  }

  async #urlOf(name: string): Promise<string> {
    return (await this.#client.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl ?? '';
  }

  async lying(name = this.dead): Promise<Lying> {
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

  /** Takes all out that is not hidden: their bodies. */
  async takeOut(name: string): Promise<string[]> {
    const QueueUrl = await this.#urlOf(name);
    const bodies: string[] = [];
    for (;;) {
      const asked = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
      const { Messages = [] } = await this.#client.send(asked);
      if (Messages.length === 0) return bodies;
      bodies.push(...Messages.map(({ Body = '' }: Message) => Body));
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
      await this.#client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  }

  /** Puts a message there by hand; its id. */
  async put(name: string, body: string, group = body.slice(0, 20).replaceAll(/\W/g, '')): Promise<string> {
    const QueueUrl = await this.#urlOf(name);
    const ids = { MessageGroupId: group, MessageDeduplicationId: crypto.randomUUID() };
    const sent = await this.#client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, ...ids }));
    return sent.MessageId ?? '';
  }

  /** A task that nobody will hear of, since its bell lies among the dead letters. */
  async submitUnreceived(key: string): Promise<void> {
    await this.stage.submit(key);
    for (const body of await this.takeOut(this.sqsQueue)) await this.put(this.dead, body, key);
  }

  /** Something else than Holdfast wrote a state that no head has. */
  async damage(key: string): Promise<void> {
    const place = placeOf(this.stage.id(key));
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

  async drain(asked: Partial<DrainDeadLettersRequest> = {}): Promise<DrainedDeadLetters> {
    const { signal } = new AbortController();
    const request = { tenant: queue.tenant, queues: [queue.queue], dryRun: false, dropUnreadable: false };
    const all = { ...request, limit: 1_000, signal, ...asked };
    const [drained] = await this.stage.service.drainDeadLetters(all);
    if (drained === undefined) throw new Error('nothing was drained');
    return drained;
  }
}
