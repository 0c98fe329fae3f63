import type { QueueRef } from '../../core/queue-ref.ts';
import type { Delivery, ReceiveRequest } from '../../ports/broker.ts';
import type { ReadAhead } from '../claim/read-ahead.ts';
import type { ServiceContext } from '../context.ts';
import type { SessionSink, WorkerHello } from '../service.ts';
import { ReceiveInProgress } from './receive-in-progress.ts';
import { knownSpecBytesOf, type SessionCredits } from './session-credits.ts';
import { SessionQueues } from './session-queues.ts';
import type { SessionRoom } from './session-room.ts';
import type { LiveSession } from './sessions.ts';

/**
 * The maximum wait of one receive call to the broker, in ms, before the next call is started. A delivery ends the wait at
 * once.
 */
const receiveWaitMs = 20_000;
const retryDelayMs = 1_000;

interface LoopParts {
  readonly context: ServiceContext;
  readonly hello: WorkerHello;
  readonly sink: SessionSink;
  /** The session for which the loop receives. */
  readonly session: LiveSession;
  readonly credits: SessionCredits;
  readonly room: SessionRoom;
  readonly readAhead: ReadAhead | undefined;
  /** Takes what one call received. */
  readonly take: (deliveries: readonly Delivery[]) => void;
}

/** The receive calls of a worker's stream to the broker: one at a time, so that no credit is used twice. */
export class ReceiveLoop {
  readonly #parts: LoopParts;
  readonly #queues: SessionQueues;
  #mayReceive = true;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  #interruption = new AbortController();
  /**
   * True if the pending receive call could not take a delivery because the worker had no room. The broker does not offer
   * that delivery to the same call again, so the call is restarted when the worker has room.
   */
  #lacksRoom = false;
  /** The receive call to the broker that is in progress. */
  #pending: ReceiveInProgress | undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#queues = new SessionQueues(parts.context, parts.hello);
  }

  /** Receives until the loop is ended. If the store or the broker fails, logs the error and tries again after 1 s. */
  async run(): Promise<void> {
    const { session, room, sink, context, take } = this.#parts;
    const { clock, log } = context;
    while (!this.#hasEnded) {
      if (!this.#mayReceive || !room.isOpen) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        const queues = context.mayLease() ? await this.#queues.unpausedInTurn() : [];
        if (queues.length > 0) take(await this.#receive(queues));
        else await clock.sleep(retryDelayMs, this.#interruption.signal);
      } catch (err) {
        if (this.#queues.isMisnamed(err)) sink.refuse?.(err);
        log.warn({ err, worker: session.worker }, 'could not receive work; retrying');
        if (!this.#hasEnded) await clock.sleep(retryDelayMs);
      }
      if (this.#interruption.signal.aborted) this.#interruption = new AbortController();
    }
  }

  /** Makes no further receive call, and ends the wait of the one in progress. */
  stop(): void {
    this.#mayReceive = false;
    this.interrupt();
  }

  /** Ends the loop. */
  end(): void {
    this.#hasEnded = true;
    this.stop();
  }

  /** Ends the current wait, so that the loop checks the session's queues again. */
  interrupt(): void {
    this.#interruption.abort();
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Receives again, if the worker has room now. */
  wakeUp(): void {
    const { room, credits } = this.#parts;
    if (!room.isOpen) return;
    if (credits.takeRefilled() || this.#lacksRoom) this.#interruption.abort();
    this.#lacksRoom = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The receive call in progress, if it may still return tasks. */
  get waiting(): ReceiveInProgress | undefined {
    return this.#mayReceive && !this.#interruption.signal.aborted ? this.#pending : undefined;
  }

  async #receive(queues: readonly QueueRef[]): Promise<readonly Delivery[]> {
    const { context, hello, sink, session, credits, readAhead } = this.#parts;
    const { broker, sessions } = context;
    const want: ReceiveRequest = {
      types: hello.types,
      room: () => this.#roomNow(),
      roomOfType: credits.roomOfType,
      taken: (deliveries) => sink.taking?.(knownSpecBytesOf(deliveries)),
      ahead: readAhead && ((deliveries) => readAhead.begin(deliveries)),
      waitMs: receiveWaitMs,
      signal: this.#interruption.signal,
    };
    this.#pending = new ReceiveInProgress({ context, hello, credits, queues, want });
    sessions.waiting.add(session);
    try {
      const deliveries = await broker.receive(queues, want);
      this.#queues.serve(deliveries);
      return deliveries;
    } finally {
      this.#pending = undefined;
      sessions.waiting.delete(session);
    }
  }

  #roomNow(): { readonly tasks: number; readonly bytes: number } {
    const { room } = this.#parts;
    if (!this.#mayReceive) return { tasks: 0, bytes: 0 };
    if (!room.isOpen) this.#lacksRoom = true;
    return room.ofOneReceive;
  }
}
