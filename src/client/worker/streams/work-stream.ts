import { asHoldfastError, type Code, HoldfastError } from '../../../core/errors.ts';
import type {
  Assignment,
  CancelCause,
  HandledTypeMessage,
  WorkRequest,
  WorkResponse,
} from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { isLasting, reopenMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
import { KeepAliveStream } from './keep-alive-stream.ts';

/** An amount of credit: the number of tasks, and the sum of their payload bytes. */
export interface CreditAmount {
  readonly tasks: number;
  readonly bytes: number;
}

export interface WorkStreamEvents {
  /** Returns the credit that the hello message of a stream gives to the server. */
  initialCredit(): CreditAmount;
  /**
   * Called when the server has accepted a work stream. `heartbeatMs` is the heartbeat interval that the server
   * requests.
   */
  welcome(sessionId: string, heartbeatMs: number): void;
  /**
   * Called when the server has assigned tasks. `current` is true if they came on the newest work stream, the only one
   * whose credit counts.
   */
  assigned(tasks: readonly Assignment[], current: boolean): void;
  /** Called when the server requests that the attempt with this fencing token stops. */
  cancel(id: string, fencingToken: number, cause: CancelCause): void;
  /** Called when the server refuses this worker for good; the work stream does not reconnect. */
  refused(error: HoldfastError): void;
  /** Called when the work stream has ended or could not be opened; it will be opened again. */
  reconnecting(error: HoldfastError | undefined): void;
}

/** The fields of the hello message that identify a worker. */
export interface WorkerIdentity {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledTypeMessage[];
}

/** Error codes that the server would return to every further try of this worker. */
const refusals: ReadonlySet<Code> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'UNIMPLEMENTED',
  'FAILED_PRECONDITION',
]);

type WorkConnection = KeepAliveStream<WorkRequest, WorkResponse>;

/**
 * The worker's work stream: receives assigned tasks and gives credit. It reconnects after a cut. When the server
 * drains a connection, the next one is opened before the old one is closed.
 */
export class WorkStream {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #identity: WorkerIdentity;
  readonly #events: WorkStreamEvents;
  /** The newest connection of the work stream, the only one whose credit counts. */
  #newest: WorkConnection | undefined;
  #welcomed = false;
  readonly #leaving = new Set<WorkConnection>();
  #tries = 0;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(transport: Transport, clock: Clock, identity: WorkerIdentity, events: WorkStreamEvents) {
    this.#transport = transport;
    this.#clock = clock;
    this.#identity = identity;
    this.#events = events;
  }

  open(): void {
    if (this.#closed) return;
    this.#cancelRetry = undefined;
    this.#welcomed = false;
    let stream: WorkConnection | undefined;
    try {
      stream = new KeepAliveStream<WorkRequest, WorkResponse>(
        this.#clock,
        (events) => this.#transport.work(events),
        {
          message: (message) => stream !== undefined && this.#handle(stream, message),
          ended: (error) => this.#ended(stream, error),
        },
      );
    } catch (thrown) {
      this.#reconnectLater(asHoldfastError(thrown));
      return;
    }
    this.#newest = stream;
    this.#sendHello(stream);
  }

  /** Gives additional credit to the server. */
  credit(amount: CreditAmount): void {
    this.#newest?.send({ kind: 'credit', ...amount });
  }

  /** Sends the hello message again, which replaces the credit of the stream by the worker's current capacity. */
  resetCredit(): void {
    if (this.#newest !== undefined) this.#sendHello(this.#newest);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#newest?.end();
    for (const stream of this.#leaving) stream.end();
  }

  #sendHello(stream: WorkConnection): void {
    stream.send({ kind: 'hello', ...this.#identity, ...this.#events.initialCredit() });
  }

  #handle(stream: WorkConnection, message: WorkResponse): void {
    switch (message.kind) {
      case 'welcome':
        this.#tries = 0;
        if (stream === this.#newest) this.#handleWelcome(message.sessionId, message.heartbeatMs);
        break;
      case 'assignments':
        // The assignments are acknowledged at once: until then the server would assign these tasks to another worker if
        // the stream is cut.
        stream.send({ kind: 'received', seq: message.seq });
        this.#events.assigned(message.tasks, stream === this.#newest);
        break;
      case 'cancel':
        this.#events.cancel(message.id, message.fencingToken, message.cause);
        break;
      case 'drain':
        if (stream === this.#newest && !this.#closed) {
          this.#leaving.add(stream);
          this.open();
        }
        break;
      default:
    }
  }

  #handleWelcome(sessionId: string, heartbeatMs: number): void {
    if (this.#welcomed) return;
    this.#welcomed = true;
    for (const stream of this.#leaving) stream.end();
    this.#events.welcome(sessionId, heartbeatMs);
  }

  #ended(stream: WorkConnection | undefined, error: HoldfastError | undefined): void {
    if (stream !== undefined) this.#leaving.delete(stream);
    if (stream !== this.#newest && stream !== undefined) return;
    this.#newest = undefined;
    this.#reconnectLater(error);
  }

  #reconnectLater(error: HoldfastError | undefined): void {
    if (this.#closed) return;
    if (error !== undefined && !error.retryable && (isLasting(error) || refusals.has(error.code))) {
      this.#closed = true;
      this.#events.refused(error);
      return;
    }
    this.#events.reconnecting(error);
    const waitMs = reopenMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }
}

/** Returns the error of `running.done` for a worker that the server refuses. */
export function workerRefusedError(error: HoldfastError): HoldfastError {
  return new HoldfastError(error.code, error.reason, `The server refuses this worker: ${error.message}`, {
    help: error.help,
    violations: error.violations,
    // The cause is not `error` itself: a log that prints causes would print its message twice.
    cause: error.cause,
  });
}
