import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../../core/errors.ts';
import { type CallPriority, ConcurrencyLimiter } from '../../load/concurrency-limiter.ts';
import { visibilitySeconds } from './definition.ts';
import { asBrokerError, asSendError } from './errors.ts';
import type { SqsCall, SqsMeter } from './meter.ts';

/** One message of a SendMessageBatch call. */
export interface SendEntry {
  readonly body: string;
  readonly group: string;
  readonly deduplication: string;
}

export interface ReceiveMessageRequest {
  /** The maximum number of messages that SQS returns to the call, from 1 to 10. */
  readonly most: number;
  /** How long SQS waits for a message, from 0 to 20 s. */
  readonly waitSeconds: number;
  /**
   * The visibility timeout of the received messages, in seconds. Default: 32, which is the length of a lease (30 s)
   * plus 2 s, since clocks differ.
   */
  readonly hiddenSeconds?: number | undefined;
  /**
   * Identifies this ReceiveMessage call. If its response is lost, SQS returns the same messages to a repeated call
   * with the same id.
   */
  readonly attemptId: string;
  readonly signal: AbortSignal;
}

/** The timeout of one request to SQS. A long poll takes up to 20 s, so a request that takes longer has failed. */
const requestTimeoutMs = 30_000;
const connectionTimeoutMs = 3_000;
/**
 * The maximum number of sockets of the SQS client. Each long poll occupies a socket, and each queue may have a long
 * poll.
 */
const connections = 1_024;

const messageCounts = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/** Creates an SQS client with the AWS SDK's standard retries. No other code retries the client's calls. */
export function sqsClient(config: SQSClientConfig = {}): SQSClient {
  return new SQSClient({
    retryMode: 'standard',
    maxAttempts: 4,
    requestHandler: {
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
      connectionTimeout: connectionTimeoutMs,
      httpAgent: { keepAlive: true, maxSockets: connections },
      httpsAgent: { keepAlive: true, maxSockets: connections },
    },
    ...config,
  });
}

/**
 * Makes all of the broker's calls to SQS. Calls that change visibility or delete messages have priority over sends,
 * since the leases of workers depend on these calls. A failed call throws a HoldfastError; a failed entry of a batch
 * call has a result of its own.
 */
export class SqsCalls {
  readonly #client: SQSClient;
  readonly #meter: SqsMeter;
  readonly #limiter: ConcurrencyLimiter;

  constructor(client: SQSClient, meter: SqsMeter, limiter = new ConcurrencyLimiter()) {
    this.#client = client;
    this.#meter = meter;
    this.#limiter = limiter;
  }

  async #metered<T>(kind: SqsCall, call: () => Promise<T>, count: (answer: T) => number): Promise<T> {
    let answer: T;
    try {
      answer = await call();
    } catch (thrown) {
      this.#meter.failed(kind);
      throw asBrokerError(thrown);
    }
    const messages = count(answer);
    this.#meter.answered(kind === 'receive' && messages === 0 ? 'emptyReceive' : kind, messages);
    return answer;
  }

  /**
   * Looks up the URL of an SQS queue. Throws the AWS SDK's own error, so that the caller can recognise a missing
   * queue.
   */
  async queueUrl(name: string, abortSignal?: AbortSignal): Promise<string> {
    const command = new GetQueueUrlCommand({ QueueName: name });
    const { QueueUrl } = await this.#client.send(command, { ...(abortSignal && { abortSignal }) });
    this.#meter.answered('lookUp', 1);
    return QueueUrl ?? '';
  }

  /** Returns about how many messages an SQS queue holds: visible, hidden and delayed ones. */
  async approximateMessages(url: string): Promise<number> {
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...messageCounts] });
    const { Attributes = {} } = await this.#metered(
      'lookUp',
      () => this.#client.send(command),
      () => 1,
    );
    return messageCounts.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
  }

  async send(
    url: string,
    batch: readonly SendEntry[],
    callPriority: CallPriority = 'submit',
  ): Promise<(true | HoldfastError)[]> {
    const Entries = batch.map(({ body, group, deduplication }, i) => ({
      Id: String(i),
      MessageBody: body,
      MessageGroupId: group,
      MessageDeduplicationId: deduplication,
    }));
    const command = new SendMessageBatchCommand({ QueueUrl: url, Entries });
    const answer = await this.#metered(
      'send',
      () => this.#limiter.run(callPriority, () => this.#client.send(command)),
      () => batch.length,
    );
    const results: (true | HoldfastError)[] = batch.map(() => true);
    for (const failed of answer.Failed ?? []) results[Number(failed.Id)] = asSendError(failed);
    return results;
  }

  async receive(url: string, request: ReceiveMessageRequest): Promise<Message[]> {
    const { most, waitSeconds, hiddenSeconds = visibilitySeconds, attemptId, signal } = request;
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: most,
      WaitTimeSeconds: waitSeconds,
      VisibilityTimeout: hiddenSeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp', 'MessageGroupId'],
      ReceiveRequestAttemptId: attemptId,
    });
    const call = () => this.#client.send(command, { abortSignal: signal });
    const { Messages } = await this.#metered('receive', call, (answer) => answer.Messages?.length ?? 0);
    return Messages ?? [];
  }

  /**
   * Changes visibility timeouts. The result of an entry is false if SQS refused it, for example because its receipt is
   * stale or expired.
   */
  async changeVisibility(
    url: string,
    batch: readonly { receipt: string; seconds: number }[],
  ): Promise<boolean[]> {
    const Entries = batch.map(({ receipt, seconds }, i) => ({
      Id: String(i),
      ReceiptHandle: receipt,
      VisibilityTimeout: seconds,
    }));
    const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries });
    const answer = await this.#metered(
      'changeVisibility',
      () => this.#limiter.run('lease', () => this.#client.send(command)),
      () => batch.length,
    );
    return resultsOf(batch.length, answer.Failed);
  }

  /**
   * Deletes messages. The result of an entry is false if SQS refused it, for example because its receipt is stale or
   * expired.
   */
  async delete(url: string, receipts: readonly string[]): Promise<boolean[]> {
    const Entries = receipts.map((receipt, i) => ({ Id: String(i), ReceiptHandle: receipt }));
    const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries });
    const answer = await this.#metered(
      'delete',
      () => this.#limiter.run('lease', () => this.#client.send(command)),
      () => receipts.length,
    );
    return resultsOf(receipts.length, answer.Failed);
  }
}

/** Returns one result per entry of an SQS batch call: false for entries that the response lists as failed. */
function resultsOf(count: number, failed: readonly { Id: string | undefined }[] = []): boolean[] {
  const results: boolean[] = new Array(count).fill(true);
  for (const one of failed) results[Number(one.Id)] = false;
  return results;
}
