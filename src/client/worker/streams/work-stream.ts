import { asHoldfastError, type Code, HoldfastError } from '../../../core/errors.ts';
import type {
  Assignment,
  CancelCause,
  HandledTypeMessage,
  WorkRequest,
  WorkResponse,
} from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { isLasting, reconnectMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
import { Channel } from './keep-alive-stream.ts';

export interface Room {
  readonly tasks: number;
  readonly bytes: number;
}

export interface WorkLinkEvents {
  /** Room for new work, when a stream begins; it is then that stream's credit. */
  room(): Room;
  welcome(sessionId: string, heartbeatMs: number): void;
  /** `current`: on the stream whose credits count. */
  assigned(tasks: readonly Assignment[], current: boolean): void;
  cancel(id: string, fencingToken: number, cause: CancelCause): void;
  /** Trying again is useless: the worker is refused. */
  refused(error: HoldfastError): void;
  reconnecting(error: HoldfastError | undefined): void;
}

export interface WorkerIdentity {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledTypeMessage[];
}

/** A server that answers so will answer so again. */
const refusals: ReadonlySet<Code> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'UNIMPLEMENTED',
  'FAILED_PRECONDITION',
]);

type Stream = Channel<WorkRequest, WorkResponse>;

/** The stream of assignments. Comes back after a cut; when the server drains, the next one is opened first. */
export class WorkLink {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #identity: WorkerIdentity;
  readonly #events: WorkLinkEvents;
  /** The newest stream: its credits count. */
  #newest: Stream | undefined;
  #welcomed = false;
  readonly #leaving = new Set<Stream>();
  #tries = 0;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(transport: Transport, clock: Clock, identity: WorkerIdentity, events: WorkLinkEvents) {
    this.#transport = transport;
    this.#clock = clock;
    this.#identity = identity;
    this.#events = events;
  }

  open(): void {
    if (this.#closed) return;
    this.#cancelRetry = undefined;
    this.#welcomed = false;
    let stream: Stream | undefined;
    try {
      stream = new Channel<WorkRequest, WorkResponse>(this.#clock, (events) => this.#transport.work(events), {
        message: (message) => stream !== undefined && this.#take(stream, message),
        ended: (error) => this.#ended(stream, error),
      });
    } catch (thrown) {
      this.#again(asHoldfastError(thrown));
      return;
    }
    this.#newest = stream;
    this.#hello(stream);
  }

  credit(room: Room): void {
    this.#newest?.send({ kind: 'credit', ...room });
  }

  /** A hello again: the credits are what there is room for now. */
  resetCredit(): void {
    if (this.#newest !== undefined) this.#hello(this.#newest);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#newest?.end();
    for (const stream of this.#leaving) stream.end();
  }

  #hello(stream: Stream): void {
    stream.send({ kind: 'hello', ...this.#identity, ...this.#events.room() });
  }

  #take(stream: Stream, message: WorkResponse): void {
    switch (message.kind) {
      case 'welcome':
        this.#tries = 0;
        if (stream === this.#newest) this.#arrived(message.sessionId, message.heartbeatMs);
        break;
      case 'assignments':
        // At once: until it hears this, the server would give them to another worker when the stream is cut.
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

  #arrived(sessionId: string, heartbeatMs: number): void {
    if (this.#welcomed) return;
    this.#welcomed = true;
    for (const stream of this.#leaving) stream.end();
    this.#events.welcome(sessionId, heartbeatMs);
  }

  #ended(stream: Stream | undefined, error: HoldfastError | undefined): void {
    if (stream !== undefined) this.#leaving.delete(stream);
    if (stream !== this.#newest && stream !== undefined) return;
    this.#newest = undefined;
    this.#again(error);
  }

  #again(error: HoldfastError | undefined): void {
    if (this.#closed) return;
    if (error !== undefined && !error.retryable && (isLasting(error) || refusals.has(error.code))) {
      this.#closed = true;
      this.#events.refused(error);
      return;
    }
    this.#events.reconnecting(error);
    const waitMs = reconnectMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }
}

export function refusedWorker(error: HoldfastError): HoldfastError {
  return new HoldfastError(
    error.code,
    error.reason,
    `The server does not take this worker: ${error.message}`,
    {
      help: error.help,
      violations: error.violations,
      // Not the error itself: a log that tells causes after the message would say it twice.
      cause: error.cause,
    },
  );
}
