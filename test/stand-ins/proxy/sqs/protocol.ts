import { Bucket } from '../bucket.ts';
import { type Answer, answerOf, type Call, type Json, type LoggedCall, serverError } from '../call.ts';
import { draw } from '../chance.ts';
import type { CommonFaults } from '../faults.ts';
import type { CallDetails, Forward, Protocol } from '../pipeline.ts';
import type { SendUpstream } from '../send-upstream.ts';
import { entriesOf, isBatch, splitEntries, withFailed } from './entries.ts';

export interface SqsLimit {
  /** The SQS queue that is limited. Default: every queue, each with its own token bucket. */
  readonly queue?: string | undefined;
  /**
   * The SQS operation that is limited, such as `ReceiveMessage`. Default: all operations, which share one token
   * bucket.
   */
  readonly operation?: string | undefined;
  /** The number of calls admitted per second; a batch counts as one call. 0 admits none. */
  readonly callsPerS: number;
  /** The number of seconds for which the token bucket keeps unused calls. Default: 1. */
  readonly burstS?: number | undefined;
}

/** The faults of the SQS proxy. An undefined fault is off. */
export interface SqsFaults extends CommonFaults {
  readonly limits?: readonly SqsLimit[] | undefined;
  /** The share (0 to 1) of batch entries that fail without being forwarded. The seed decides which entries fail. */
  readonly failEntries?: number | undefined;
}

const nameOf = (url: unknown): string => String(url).slice(String(url).lastIndexOf('/') + 1);

function keysOf(body: Json): readonly string[] {
  const entries = body.Entries === undefined ? [body] : entriesOf(body);
  return entries.flatMap(({ MessageGroupId, ReceiptHandle }) => {
    const key = MessageGroupId ?? ReceiptHandle;
    return typeof key === 'string' ? [key] : [];
  });
}

/** Applies the faults of the SQS proxy to calls. */
export class SqsProtocol implements Protocol {
  readonly #sendUpstream: SendUpstream;
  readonly #seed: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #faults: SqsFaults = {};

  constructor(send: SendUpstream, seed: number, now: () => number) {
    this.#sendUpstream = send;
    this.#seed = seed;
    this.#now = now;
  }

  set(faults: SqsFaults): void {
    this.#faults = { ...this.#faults, ...faults };
    if ('limits' in faults) this.#buckets.clear();
  }

  async detailsOf(_operation: string, body: Json): Promise<CallDetails> {
    const queue = body.QueueUrl === undefined ? body.QueueName : nameOf(body.QueueUrl);
    return { resources: queue === undefined ? [] : [String(queue)], keys: keysOf(body), expressions: [] };
  }

  async serve(call: LoggedCall, forward: Forward, gone: AbortSignal): Promise<Answer> {
    if (!this.#admits(call)) {
      call.fault = 'throttled';
      return this.throttled();
    }
    if (call.operation === 'ReceiveMessage') return this.#receive(call, forward, gone);
    const share = this.#faults.failEntries ?? 0;
    if (share === 0 || !isBatch(call.operation)) return forward();
    const { body, failed } = splitEntries(call.body, (id) => draw(this.#seed, 'entry', call.n, id) < share);
    if (failed.length > 0) call.fault = `${failed.length} entries failed`;
    return withFailed(body && (await forward(JSON.stringify(body))), failed);
  }

  throttled(): Answer {
    const headers = { 'x-amzn-query-error': 'RequestThrottled;Sender' };
    return answerOf(400, { __type: 'com.amazonaws.sqs#RequestThrottled', message: 'Rate exceeded' }, headers);
  }

  serverError(): Answer {
    return serverError('com.amazonaws.sqs#InternalError');
  }

  /**
   * Forwards a ReceiveMessage call. If the caller has disconnected meanwhile, the received messages are made visible
   * again at once.
   */
  async #receive({ body: { QueueUrl } }: Call, forward: Forward, gone: AbortSignal): Promise<Answer> {
    const answer = await forward();
    if (!gone.aborted || answer.status !== 200) return answer;
    const { Messages = [] } = JSON.parse(answer.body) as { Messages?: readonly { ReceiptHandle: string }[] };
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({
      Id: `${i}`,
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    if (Entries.length > 0) await this.#sendUpstream('ChangeMessageVisibilityBatch', { QueueUrl, Entries });
    return answer;
  }

  /**
   * Returns whether all limits that apply to a call admit the call. If so, charges the call to the token buckets of
   * these limits.
   */
  #admits({ operation, resources: [queue = ''] }: Call): boolean {
    const buckets: Bucket[] = [];
    for (const [i, limit] of (this.#faults.limits ?? []).entries()) {
      if ((limit.queue ?? queue) !== queue || (limit.operation ?? operation) !== operation) continue;
      const name = JSON.stringify([i, queue]);
      const bucket = this.#buckets.get(name) ?? new Bucket(limit.callsPerS, limit.burstS ?? 1, this.#now());
      this.#buckets.set(name, bucket);
      buckets.push(bucket);
    }
    const admitted = buckets.every((bucket) => bucket.admits(this.#now()));
    if (admitted) for (const bucket of buckets) bucket.charge(1, this.#now());
    return admitted;
  }
}
