import type { Ask } from '../ask.ts';
import { Bucket } from '../bucket.ts';
import { type Answer, answerOf, type Call, type Json, type LoggedCall, serverError } from '../call.ts';
import { draw } from '../chance.ts';
import type { CommonFaults } from '../faults.ts';
import type { Forward, Protocol, Seen } from '../pipeline.ts';
import { entriesOf, isBatch, parted, withFailed } from './entries.ts';

export interface SqsLimit {
  /** Default: every queue, each with a bucket of its own. */
  readonly queue?: string | undefined;
  /** `ReceiveMessage`, `SendMessageBatch`, …; default: all of them out of one bucket. */
  readonly operation?: string | undefined;
  /** A batch is one call. 0: nothing at all. */
  readonly callsPerS: number;
  /** Seconds of unused calls that are kept. Default 1. */
  readonly burstS?: number | undefined;
}

/** What the SQS proxy can do besides. Each part is off where it is undefined. */
export interface SqsFaults extends CommonFaults {
  readonly limits?: readonly SqsLimit[] | undefined;
  /** This share (0 to 1) of the entries of batch calls fails, by seed; nothing of them is forwarded. */
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

/** What the proxy makes of SQS's calls. */
export class SqsProtocol implements Protocol {
  readonly #ask: Ask;
  readonly #seed: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #faults: SqsFaults = {};

  constructor(ask: Ask, seed: number, now: () => number) {
    this.#ask = ask;
    this.#seed = seed;
    this.#now = now;
  }

  set(faults: SqsFaults): void {
    this.#faults = { ...this.#faults, ...faults };
    if ('limits' in faults) this.#buckets.clear();
  }

  async see(_operation: string, body: Json): Promise<Seen> {
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
    const { body, failed } = parted(call.body, (id) => draw(this.#seed, 'entry', call.n, id) < share);
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

  /** The stand-in polls on for a caller that is gone: what it receives for nobody is put back at once. */
  async #receive({ body: { QueueUrl } }: Call, forward: Forward, gone: AbortSignal): Promise<Answer> {
    const answer = await forward();
    if (!gone.aborted || answer.status !== 200) return answer;
    const { Messages = [] } = JSON.parse(answer.body) as { Messages?: readonly { ReceiptHandle: string }[] };
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({
      Id: `${i}`,
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    if (Entries.length > 0) await this.#ask('ChangeMessageVisibilityBatch', { QueueUrl, Entries });
    return answer;
  }

  /** A call is charged to every limit that applies, once all of them admit it. */
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
