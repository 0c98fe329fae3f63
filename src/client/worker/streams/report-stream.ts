import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { HeartbeatItem, ReportRequest, ReportResponse, Settlement } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { reconnectMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
import { Channel } from './keep-alive-stream.ts';

type Settled = Extract<ReportResponse, { kind: 'settled' }>;
type Beaten = Extract<ReportResponse, { kind: 'heartbeats' }>;

export interface ReportLinkEvents {
  settled(answer: Settled): void;
  beaten(answer: Beaten): void;
  /** The answers to these batches will not come. */
  lost(batches: readonly number[]): void;
  /** There is a stream again. */
  opened(): void;
}

interface Stream {
  readonly channel: Channel<ReportRequest, ReportResponse>;
  readonly unanswered: Set<number>;
  /** The session that the last hello named. */
  sessionId: string;
}

/** Heartbeats and settlements. Comes back after a cut; when the server drains, the next one is opened first. */
export class ReportLink {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tenant: string;
  readonly #workerId: string;
  readonly #events: ReportLinkEvents;
  #stream: Stream | undefined;
  readonly #leaving = new Set<Stream>();
  #sessionId = '';
  #batch = 0;
  #tries = 0;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(
    transport: Transport,
    clock: Clock,
    who: { tenant: string; workerId: string },
    events: ReportLinkEvents,
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#tenant = who.tenant;
    this.#workerId = who.workerId;
    this.#events = events;
  }

  /** Batches that may be sent now. */
  get room(): number {
    return this.#stream === undefined ? 0 : Math.max(0, unansweredMax - this.#stream.unanswered.size);
  }

  open(): void {
    if (this.#closed || this.#stream !== undefined) return;
    this.#cancelRetry = undefined;
    let stream: Stream | undefined;
    try {
      const channel = new Channel<ReportRequest, ReportResponse>(
        this.#clock,
        (events) => this.#transport.report(events),
        {
          message: (message) => stream !== undefined && this.#take(stream, message),
          ended: (error) => this.#ended(stream, error),
        },
      );
      stream = { channel, unanswered: new Set(), sessionId: '' };
    } catch (thrown) {
      this.#again(asHoldfastError(thrown));
      return;
    }
    this.#stream = stream;
    this.#hello(stream, this.#sessionId);
    this.#events.opened();
  }

  /** The session that settlements belong to from now on. */
  set sessionId(id: string) {
    this.#sessionId = id;
  }

  /** The batch's number. `sessionId` empty: no credit is to come back for it. Ask `room` first. */
  settle(items: readonly Settlement[], sessionId: string): number {
    return this.#send(sessionId, (batch) => ({ kind: 'settlements', batch, items }));
  }

  beat(items: readonly HeartbeatItem[]): number {
    return this.#send(undefined, (batch) => ({ kind: 'heartbeats', batch, items }));
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#stream?.channel.end();
    for (const stream of this.#leaving) stream.channel.end();
  }

  #send(sessionId: string | undefined, message: (batch: number) => ReportRequest): number {
    const stream = this.#stream;
    if (stream === undefined) throw new RangeError('no report stream is open');
    const batch = ++this.#batch;
    if (sessionId !== undefined && sessionId !== stream.sessionId) this.#hello(stream, sessionId);
    stream.unanswered.add(batch);
    stream.channel.send(message(batch));
    return batch;
  }

  #hello(stream: Stream, sessionId: string): void {
    stream.sessionId = sessionId;
    stream.channel.send({ kind: 'hello', sessionId, workerId: this.#workerId, tenant: this.#tenant });
  }

  #take(stream: Stream, message: ReportResponse): void {
    this.#tries = 0;
    if (message.kind === 'settled' && stream.unanswered.delete(message.batch)) this.#events.settled(message);
    if (message.kind === 'heartbeats' && stream.unanswered.delete(message.batch))
      this.#events.beaten(message);
    if (message.kind !== 'drain' || stream !== this.#stream) return;
    this.#leaving.add(stream);
    this.#stream = undefined;
    this.open();
    // What it still has to answer is answered before it ends.
    stream.channel.end();
  }

  #ended(stream: Stream | undefined, error: HoldfastError | undefined): void {
    if (stream !== undefined) this.#leaving.delete(stream);
    const wasCurrent = stream === undefined || stream === this.#stream;
    if (wasCurrent) this.#stream = undefined;
    const lost = [...(stream?.unanswered ?? [])];
    stream?.unanswered.clear();
    if (lost.length > 0) this.#events.lost(lost);
    if (wasCurrent) this.#again(error);
  }

  #again(error: HoldfastError | undefined): void {
    if (this.#closed) return;
    const waitMs = reconnectMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }
}

/** Well below the server's limit of one stream (limits.reportBatches). */
const unansweredMax = 32;
