import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { HeartbeatItem, ReportRequest, ReportResponse, Settlement } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { reopenMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
import { type CreditPeriod, noPeriod } from './credits.ts';
import { KeepAliveStream } from './keep-alive-stream.ts';

type SettlementsAnswer = Extract<ReportResponse, { kind: 'settled' }>;
type HeartbeatsAnswer = Extract<ReportResponse, { kind: 'heartbeats' }>;

export interface ReportStreamEvents {
  settlementsAnswered(answer: SettlementsAnswer): void;
  heartbeatsAnswered(answer: HeartbeatsAnswer): void;
  /**
   * Called when a report stream ended before the server answered these batches of heartbeats or settlements; no answer
   * will come.
   */
  lost(batches: readonly number[]): void;
  /** Called when a report stream has been opened and batches can be sent. */
  opened(): void;
}

/** One connection of the report stream, with the numbers of its unanswered batches. */
interface ReportConnection {
  readonly stream: KeepAliveStream<ReportRequest, ReportResponse>;
  readonly unanswered: Set<number>;
  /** The session and its period that the last hello message of this connection named. */
  period: CreditPeriod;
  /** Cancels the timer after which the server counts as having accepted this connection. */
  cancelAccepted: () => void;
}

/**
 * The worker's report stream: sends heartbeats and settlements in numbered batches. It reconnects after a cut. When the
 * server drains a connection, the next one is opened before the old one is closed. If the next one cannot be opened,
 * because the only server is stopping, the old one is used until the server ends it.
 */
export class ReportStream {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tenant: string;
  readonly #workerId: string;
  readonly #events: ReportStreamEvents;
  #current: ReportConnection | undefined;
  /** The connections that the server drains, newest last. They are kept until the server has accepted another one. */
  readonly #leaving = new Set<ReportConnection>();
  #sessionId = '';
  #batch = 0;
  #tries = 0;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(
    transport: Transport,
    clock: Clock,
    who: { tenant: string; workerId: string },
    events: ReportStreamEvents,
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#tenant = who.tenant;
    this.#workerId = who.workerId;
    this.#events = events;
  }

  /** The number of report batches that may be sent now. */
  get freeBatches(): number {
    const connection = this.#usable;
    return connection === undefined ? 0 : Math.max(0, unansweredMax - connection.unanswered.size);
  }

  get #usable(): ReportConnection | undefined {
    return this.#current ?? [...this.#leaving].at(-1);
  }

  open(): void {
    if (this.#closed || this.#current !== undefined) return;
    this.#cancelRetry = undefined;
    let connection: ReportConnection | undefined;
    try {
      const stream = new KeepAliveStream<ReportRequest, ReportResponse>(
        this.#clock,
        (events) => this.#transport.report(events),
        {
          message: (message) => connection !== undefined && this.#handle(connection, message),
          ended: (error) => this.#ended(connection, error),
        },
      );
      connection = { stream, unanswered: new Set(), period: noPeriod, cancelAccepted: () => {} };
    } catch (thrown) {
      this.#reconnectLater(asHoldfastError(thrown));
      return;
    }
    const opened = connection;
    opened.cancelAccepted = this.#clock.after(acceptedMs, () => this.#accepted(opened));
    this.#current = opened;
    this.#sendHello(opened, { sessionId: this.#sessionId, hellos: 0 });
    this.#events.opened();
  }

  /**
   * Sets the session that a new connection names in its hello message. A server has just opened that session, so a
   * connection that waits for its next try is opened at once.
   */
  set sessionId(id: string) {
    this.#sessionId = id;
    if (this.#cancelRetry === undefined) return;
    this.#cancelRetry();
    this.open();
  }

  /**
   * Sends a batch of settlements and returns its number. With `noPeriod` the batch returns no credit.
   * Throws if no stream is open (check `freeBatches` first), or if the batch cannot be encoded; then nothing was sent.
   */
  sendSettlements(items: readonly Settlement[], period: CreditPeriod): number {
    return this.#send(period, (batch) => ({ kind: 'settlements', batch, items }));
  }

  /** Sends a batch of heartbeats and returns its number. Throws as `sendSettlements` does. */
  sendHeartbeats(items: readonly HeartbeatItem[]): number {
    return this.#send(undefined, (batch) => ({ kind: 'heartbeats', batch, items }));
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#current?.stream.end();
    for (const connection of this.#leaving) connection.stream.end();
  }

  #send(period: CreditPeriod | undefined, message: (batch: number) => ReportRequest): number {
    const connection = this.#usable;
    if (connection === undefined) throw new RangeError('no report stream is open');
    const batch = ++this.#batch;
    if (period !== undefined && period !== connection.period) this.#sendHello(connection, period);
    connection.unanswered.add(batch);
    try {
      connection.stream.send(message(batch));
    } catch (thrown) {
      connection.unanswered.delete(batch);
      throw thrown;
    }
    return batch;
  }

  #sendHello(connection: ReportConnection, period: CreditPeriod): void {
    connection.period = period;
    connection.stream.send({ kind: 'hello', workerId: this.#workerId, tenant: this.#tenant, ...period });
  }

  /** Ends the drained connections, because the server has accepted this one. */
  #accepted(connection: ReportConnection): void {
    connection.cancelAccepted();
    if (connection !== this.#current) return;
    this.#tries = 0;
    for (const { stream } of this.#leaving) stream.end();
    this.#leaving.clear();
  }

  #handle(connection: ReportConnection, message: ReportResponse): void {
    this.#accepted(connection);
    if (message.kind === 'settled' && connection.unanswered.delete(message.batch))
      this.#events.settlementsAnswered(message);
    if (message.kind === 'heartbeats' && connection.unanswered.delete(message.batch))
      this.#events.heartbeatsAnswered(message);
    if (message.kind !== 'drain' || connection !== this.#current) return;
    this.#leaving.add(connection);
    this.#current = undefined;
    this.open();
  }

  #ended(connection: ReportConnection | undefined, error: HoldfastError | undefined): void {
    connection?.cancelAccepted();
    if (connection !== undefined) this.#leaving.delete(connection);
    const wasCurrent = connection === undefined || connection === this.#current;
    if (wasCurrent) this.#current = undefined;
    const lost = [...(connection?.unanswered ?? [])];
    connection?.unanswered.clear();
    if (lost.length > 0) this.#events.lost(lost);
    if (wasCurrent) this.#reconnectLater(error);
  }

  #reconnectLater(error: HoldfastError | undefined): void {
    if (this.#closed) return;
    const waitMs = reopenMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }
}

/**
 * The server counts as having accepted a connection of the report stream that it did not end within this time in ms: it
 * sends nothing on a new connection before it has something to answer.
 */
const acceptedMs = 2_000;

/** The largest number of unanswered batches of one connection, well below the server's limit (limits.reportBatches). */
const unansweredMax = 32;
