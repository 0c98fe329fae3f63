/** The messages between the processes of an overload run and their parent process. */
import type { BreakerState, LoadView } from '../../../src/ports/overload.ts';

/** The addresses that each process of an overload run gets at its start. */
export interface OverloadAddress {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  /** The address of the API node. Empty for a process that does not need it. */
  readonly api: string;
}

export type Role = 'api' | 'worker';

/** The load of an engine, which its process reports four times a second. */
export interface LoadReport {
  readonly kind: 'load';
  readonly role: Role;
  readonly view: LoadView;
  /** The states of both circuit breakers since the last report, the worst first. */
  readonly states: readonly BreakerState[];
  /** The write units that the table used since the start, without its indexes. */
  readonly writeUnits: number;
}

export type OverloadReport =
  | { readonly kind: 'ready'; readonly port?: number | undefined }
  | LoadReport
  /** A line of an engine's log about its load. */
  | { readonly kind: 'logged'; readonly role: Role; readonly message: string; readonly fields: object }
  /** The submissions since the last report: how many were begun, and the ids of those that were acknowledged. */
  | { readonly kind: 'submitted'; readonly offered: number; readonly ids: readonly string[] }
  /** The numbers of attempts since the last report that succeeded, and that lost their lease. */
  | { readonly kind: 'worked'; readonly succeeded: number; readonly leasesLost: number }
  | { readonly kind: 'failed'; readonly message: string };

export type OverloadCommand =
  /** Tells the submitter to submit this many tasks per second from now on. */
  | { readonly kind: 'offer'; readonly perS: number }
  /**
   * Tells the submitter to submit tasks as fast as they are acknowledged, while fewer than `mostLeft` tasks are
   * unfinished.
   */
  | { readonly kind: 'offerFreely'; readonly mostLeft: number }
  /** Tells the submitter how many more tasks have succeeded, which it must know for `offerFreely`. */
  | { readonly kind: 'done'; readonly succeeded: number };
