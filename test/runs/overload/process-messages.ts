/** The messages between the processes of a run and their parent. */
import type { BreakerState, LoadView } from '../../../src/ports/overload.ts';

/** The addresses that each process gets at its start. */
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
  /** The write units of the table, without its indexes, since the start. */
  readonly writeUnits: number;
}

export type OverloadReport =
  | { readonly kind: 'ready'; readonly port?: number | undefined }
  | LoadReport
  /** A line about load of an engine's log. */
  | { readonly kind: 'logged'; readonly role: Role; readonly message: string; readonly fields: object }
  /** The submissions since the last report: how many were begun, and the ids of those that were acknowledged. */
  | { readonly kind: 'submitted'; readonly offered: number; readonly ids: readonly string[] }
  /** The attempts since the last report that succeeded, and those whose lease was lost. */
  | { readonly kind: 'worked'; readonly succeeded: number; readonly leasesLost: number }
  | { readonly kind: 'failed'; readonly message: string };

export type OverloadCommand =
  /** Submit this many tasks a second from now on. */
  | { readonly kind: 'offer'; readonly perS: number }
  /** Submit tasks as fast as they are acknowledged, while fewer than `mostLeft` are not done. */
  | { readonly kind: 'offerFreely'; readonly mostLeft: number }
  /** This many more tasks are done, which `offerFreely` needs to know. */
  | { readonly kind: 'done'; readonly succeeded: number };
