import { asHoldfastError, type Code, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type {
  Assignment,
  BegunAttempt,
  CancelCause,
  HandledTypeMessage,
  TypeCredit,
  WorkRequest,
  WorkResponse,
} from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { isLasting, reopenMs } from '../../backoff.ts';
import type { Transport } from '../../transport.ts';
import type { Capacity } from './credits.ts';
import { KeepAliveStream } from './keep-alive-stream.ts';
import { type AssignmentOrigin, type BeginningTask, WorkConnection } from './work-connection.ts';

/** An amount of credit: the number of tasks, the sum of their payload bytes, and the tasks of types with own limits. */
export interface CreditAmount extends Capacity {
  readonly types: readonly TypeCredit[];
}

export interface WorkStreamEvents {
  /** Returns the credit that a hello message gives to the server. `isFirst` is true for the first one of a stream. */
  initialCredit(isFirst: boolean): CreditAmount;
  /**
   * Called when the server has accepted a work stream. `heartbeatMs` is the heartbeat interval that the server
   * requests.
   */
  welcome(sessionId: string, heartbeatMs: number): void;
  /**
   * Called when the server has assigned tasks; `first` is the origin of the first of them. `current` is true if they
   * came on the newest work stream, the only one whose credit counts.
   */
  assigned(tasks: readonly Assignment[], first: AssignmentOrigin, current: boolean): void;
  /**
   * Called when an accepted work stream was cut, which the server had not announced. The server gives the tasks that
   * have not begun to other workers.
   */
  cut(): void;
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
  /** True if the worker reports each attempt before it calls the handler; false if an assigned task counts as begun. */
  readonly reportsBegun: boolean;
  /** True: each worker keeps a task that must run alone until nothing else runs in it, and reports its beginning. */
  readonly runsAlone: true;
}

/** Error codes that the server would return to every further try of this worker. */
const refusals: ReadonlySet<Code> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'UNIMPLEMENTED',
  'FAILED_PRECONDITION',
]);

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
  readonly #leaving = new Set<WorkConnection>();
  #tries = 0;
  /** True once a server has accepted a work stream of this worker. */
  #wasWelcomed = false;
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
    let connection: WorkConnection | undefined;
    try {
      const stream = new KeepAliveStream<WorkRequest, WorkResponse>(
        this.#clock,
        (events) => this.#transport.work(events),
        {
          message: (message) => connection !== undefined && this.#handle(connection, message),
          ended: (error) => this.#ended(connection, error),
        },
      );
      connection = new WorkConnection(stream);
    } catch (thrown) {
      this.#reconnectLater(asHoldfastError(thrown));
      return;
    }
    this.#newest = connection;
    this.#sendHello(connection, true);
  }

  /** True if the worker can report now that it begins a task with this origin. */
  canReport({ connection }: AssignmentOrigin): boolean {
    return connection.canSend || this.#newest?.canSend === true;
  }

  /**
   * Reports that the worker begins these tasks, each of which `canReport`. Resolves when the report was handed to the
   * socket, or its connection has ended; their handlers may be called then, unless the stream was cut.
   */
  async reportBegun(tasks: readonly BeginningTask[]): Promise<void> {
    const places = new Map<WorkConnection, number[]>();
    const attempts: BegunAttempt[] = [];
    for (const { assignment, origin } of tasks) {
      if (!origin.connection.canSend) attempts.push(assignment);
      else {
        const onConnection = places.get(origin.connection);
        if (onConnection === undefined) places.set(origin.connection, [origin.place]);
        else onConnection.push(origin.place);
      }
    }
    for (const [connection, begun] of places) connection.report(begun, []);
    this.reportRunning(attempts);
    const connections = [...places.keys()];
    if (attempts.length > 0 && this.#newest !== undefined) connections.push(this.#newest);
    await Promise.all(connections.map(({ stream }) => stream.drained()));
  }

  /** Names attempts that run on the newest connection, because their tasks were assigned on an earlier one. */
  reportRunning(attempts: readonly BegunAttempt[]): void {
    for (let at = 0; at < attempts.length; at += limits.batchItems)
      this.#newest?.report(
        [],
        attempts
          .slice(at, at + limits.batchItems)
          .map(({ id, fencingToken, lease }) => ({ id, fencingToken, lease })),
      );
  }

  /** Names the tasks on the newest connection that the worker kept from an earlier one and has not begun. */
  reportKept(tasks: readonly Assignment[]): void {
    for (let at = 0; at < tasks.length; at += limits.batchItems)
      this.#newest?.keep(tasks.slice(at, at + limits.batchItems).map(({ lease }) => lease));
  }

  /** Gives additional credit to the server. */
  credit(amount: CreditAmount): void {
    this.#newest?.stream.send({ kind: 'credit', ...amount });
  }

  /** Sends the hello message again, which replaces the credit of the stream by the worker's current capacity. */
  resetCredit(): void {
    const connection = this.#newest;
    if (connection === undefined) return;
    // The server counts the tasks that are not acknowledged against the new credit.
    connection.acknowledge();
    this.#sendHello(connection, false);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#newest?.end();
    for (const connection of this.#leaving) connection.end();
  }

  #sendHello({ stream }: WorkConnection, isFirst: boolean): void {
    const { types: credits, ...total } = this.#events.initialCredit(isFirst);
    const limited = new Map(credits.map(({ type, tasks }) => [type, tasks]));
    const types = this.#identity.types.map((handled) => {
      const tasks = limited.get(handled.type);
      return tasks === undefined ? handled : { ...handled, tasks };
    });
    stream.send({ kind: 'hello', ...this.#identity, ...total, types });
  }

  #handle(connection: WorkConnection, message: WorkResponse): void {
    switch (message.kind) {
      case 'welcome':
        this.#tries = 0;
        if (connection === this.#newest) this.#handleWelcome(connection, message);
        break;
      case 'assignments': {
        const { seq, tasks } = message;
        const place = connection.receive(seq, tasks.length);
        this.#events.assigned(tasks, { connection, place }, connection === this.#newest);
        // The report of the tasks that begin at once has acknowledged the message already.
        connection.acknowledge();
        break;
      }
      case 'cancel':
        this.#events.cancel(message.id, message.fencingToken, message.cause);
        break;
      case 'drain':
        if (connection === this.#newest && !this.#closed) {
          this.#leaving.add(connection);
          this.open();
        }
        break;
      default:
    }
  }

  #handleWelcome(
    connection: WorkConnection,
    { sessionId, heartbeatMs }: Extract<WorkResponse, { kind: 'welcome' }>,
  ): void {
    if (connection.isWelcomed) return;
    connection.isWelcomed = true;
    this.#wasWelcomed = true;
    for (const leaving of this.#leaving) leaving.end();
    this.#events.welcome(sessionId, heartbeatMs);
  }

  #ended(connection: WorkConnection | undefined, error: HoldfastError | undefined): void {
    if (connection !== undefined) this.#leaving.delete(connection);
    if (connection !== this.#newest && connection !== undefined) return;
    this.#newest = undefined;
    if (connection?.isWelcomed === true && !this.#closed) this.#events.cut();
    this.#reconnectLater(error);
  }

  #reconnectLater(error: HoldfastError | undefined): void {
    if (this.#closed) return;
    if (error !== undefined && this.#isRefusal(error)) {
      this.#closed = true;
      this.#events.refused(error);
      return;
    }
    this.#events.reconnecting(error);
    const waitMs = reopenMs(this.#tries++, this.#clock.random(), error?.retryAfterMs);
    this.#cancelRetry = this.#clock.after(waitMs, () => this.open());
  }

  /** Returns true for an error that every further try would get again until somebody corrects this worker. */
  #isRefusal(error: HoldfastError): boolean {
    return !error.retryable && (isLasting(error, this.#wasWelcomed) || refusals.has(error.code));
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
