import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
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

export interface Sending {
  readonly body: string;
  readonly group: string;
  readonly deduplication: string;
}

export interface Receiving {
  /** 1 to 10. */
  readonly most: number;
  /** 0 to 20. */
  readonly waitSeconds: number;
  /** For how long what is received is hidden. Default: a lease and its guard. */
  readonly hiddenSeconds?: number | undefined;
  /** By it SQS knows a repeat of this receive whose answer was lost, and answers the same messages. */
  readonly attemptId: string;
  readonly signal: AbortSignal;
}

/** A poll stays open for 20 s; whatever takes longer is lost. */
const requestTimeoutMs = 30_000;
const connectionTimeoutMs = 3_000;
/** A long poll holds a connection for itself, and there may be one of each queue. */
const connections = 1_024;

/** A client whose only layer of retries is the SDK's standard one. */
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

/** The calls that bells make of SQS, and no others; what leases need goes first. Whole calls fail with a HoldfastError; their parts one by one. */
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

  /** Throws what the SDK threw: the caller knows what a missing queue means to it. */
  async url(name: string, abortSignal?: AbortSignal): Promise<string> {
    const command = new GetQueueUrlCommand({ QueueName: name });
    const { QueueUrl } = await this.#client.send(command, { ...(abortSignal && { abortSignal }) });
    this.#meter.answered('lookUp', 1);
    return QueueUrl ?? '';
  }

  async send(
    url: string,
    batch: readonly Sending[],
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

  async receive(url: string, receiving: Receiving): Promise<Message[]> {
    const { most, waitSeconds, hiddenSeconds = visibilitySeconds, attemptId, signal } = receiving;
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

  /** False: SQS refused that one, as it does with a stale or expired receipt. */
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
    return withoutFailed(batch.length, answer.Failed);
  }

  /** False: as with `hide`. */
  async delete(url: string, receipts: readonly string[]): Promise<boolean[]> {
    const Entries = receipts.map((receipt, i) => ({ Id: String(i), ReceiptHandle: receipt }));
    const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries });
    const answer = await this.#metered(
      'delete',
      () => this.#limiter.run('lease', () => this.#client.send(command)),
      () => receipts.length,
    );
    return withoutFailed(receipts.length, answer.Failed);
  }
}

function withoutFailed(count: number, failed: readonly { Id: string | undefined }[] = []): boolean[] {
  const results: boolean[] = new Array(count).fill(true);
  for (const one of failed) results[Number(one.Id)] = false;
  return results;
}
