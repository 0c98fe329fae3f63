import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { HeartbeatItem, ReportRequest, ReportResponse, Settlement } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { reconnectMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
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
  /** The session that the last hello message of this connection named. */
  sessionId: string;
}

/**
 * The worker's report stream: sends heartbeats and settlements in numbered batches. It reconnects after a cut. When the
 * server drains a connection, the next one is opened before the old one is closed.
 */
export class ReportStream {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tenant: string;
  readonly #workerId: string;
  readonly #events: ReportStreamEvents;
  #current: ReportConnection | undefined;
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
    return this.#current === undefined ? 0 : Math.max(0, unansweredMax - this.#current.unanswered.size);
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
      connection = { stream, unanswered: new Set(), sessionId: '' };
    } catch (thrown) {
      this.#reconnectLater(asHoldfastError(thrown));
      return;
    }
    this.#current = connection;
    this.#sendHello(connection, this.#sessionId);
    this.#events.opened();
  }

  /** Sets the session that a new connection names in its hello message. */
  set sessionId(id: string) {
    this.#sessionId = id;
  }

  /**
   * Sends a batch of settlements and returns its number. With an empty `sessionId` the batch returns no credit.
   * Throws if no stream is open (check `freeBatches` first), or if the batch cannot be encoded; then nothing was sent.
   */
  sendSettlements(items: readonly Settlement[], sessionId: string): number {
    return this.#send(sessionId, (batch) => ({ kind: 'settlements', batch, items }));
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

  #send(sessionId: string | undefined, message: (batch: number) => ReportRequest): number {
    const connection = this.#current;
    if (connection === undefined) throw new RangeError('no report stream is open');
    const batch = ++this.#batch;
    if (sessionId !== undefined && sessionId !== connection.sessionId) this.#sendHello(connection, sessionId);
    connection.unanswered.add(batch);
    try {
      connection.stream.send(message(batch));
    } catch (thrown) {
      connection.unanswered.delete(batch);
      throw thrown;
    }
    return batch;
  }

  #sendHello(connection: ReportConnection, sessionId: string): void {
    connection.sessionId = sessionId;
    connection.stream.send({ kind: 'hello', sessionId, workerId: this.#workerId, tenant: this.#tenant });
  }

  #handle(connection: ReportConnection, message: ReportResponse): void {
    this.#tries = 0;
    if (message.kind === 'settled' && connection.unanswered.delete(message.batch))
      this.#events.settlementsAnswered(message);
    if (message.kind === 'heartbeats' && connection.unanswered.delete(message.batch))
      this.#events.heartbeatsAnswered(message);
    if (message.kind !== 'drain' || connection !== this.#current) return;
    this.#leaving.add(connection);
    this.#current = undefined;
    this.open();
    // The server answers the outstanding batches of the old connection before it ends that connection.
    connection.stream.end();
  }

  #ended(connection: ReportConnection | undefined, error: HoldfastError | undefined): void {
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
    const waitMs = reconnectMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }
}

/** The largest number of unanswered batches of one connection, well below the server's limit (limits.reportBatches). */
const unansweredMax = 32;
