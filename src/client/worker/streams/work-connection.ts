import type { Assignment, BegunAttempt, WorkRequest, WorkResponse } from '../../../core/messages.ts';
import type { KeepAliveStream } from './keep-alive-stream.ts';

/** The connection on which a task was assigned, and the task's place in the order of assignment there, from 1. */
export interface AssignmentOrigin {
  readonly connection: WorkConnection;
  readonly place: number;
}

/** A task that the worker is about to begin. */
export interface BeginningTask {
  readonly assignment: Assignment;
  readonly origin: AssignmentOrigin;
}

const none: readonly never[] = [];

/** One connection of the work stream: counts its assignments, acknowledges them, and reports attempts that begin. */
export class WorkConnection {
  readonly stream: KeepAliveStream<WorkRequest, WorkResponse>;
  /** True once the server has accepted the connection. */
  isWelcomed = false;
  #hasEnded = false;
  #assigned = 0;
  #receivedSeq = 0;
  #acknowledgedSeq = 0;

  constructor(stream: KeepAliveStream<WorkRequest, WorkResponse>) {
    this.stream = stream;
  }

  /** True if a message that is sent now is handed to the socket of an accepted connection. */
  get canSend(): boolean {
    return this.isWelcomed && !this.#hasEnded && this.stream.isOpen;
  }

  /** Counts the assignments of a message, and returns the place of the first of them. */
  receive(seq: number, count: number): number {
    this.#receivedSeq = seq;
    const first = this.#assigned + 1;
    this.#assigned += count;
    return first;
  }

  /** Acknowledges the received assignments, unless a report of begun attempts has done so. */
  acknowledge(): void {
    if (this.#acknowledgedSeq < this.#receivedSeq) this.report(none, none);
  }

  /** Reports attempts that begin: those assigned on this connection by place, those of an earlier one by name. */
  report(begun: readonly number[], attempts: readonly BegunAttempt[]): void {
    this.#acknowledgedSeq = this.#receivedSeq;
    this.stream.send({ kind: 'received', seq: this.#receivedSeq, begun, attempts, kept: none });
  }

  /** Names tasks that the worker kept from an earlier connection, by their leases. */
  keep(kept: readonly Uint8Array[]): void {
    this.#acknowledgedSeq = this.#receivedSeq;
    this.stream.send({ kind: 'received', seq: this.#receivedSeq, begun: none, attempts: none, kept });
  }

  /** Ends the sending side of the connection. */
  end(): void {
    this.#hasEnded = true;
    this.stream.end();
  }
}
