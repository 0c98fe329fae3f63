/** What the processes of a run and their parent tell each other. */
import type { BreakerState, LoadView } from '../../../src/ports/overload.ts';

/** Where everything is; given to each process at its start. */
export interface Place {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  /** Of the API node; empty where a process needs none. */
  readonly address: string;
}

export type Role = 'api' | 'worker';

/** What an engine says of itself, some times a second. */
export interface LoadTold {
  readonly kind: 'load';
  readonly role: Role;
  readonly view: LoadView;
  /** Of either breaker, since it was told last; the worst first. */
  readonly states: readonly BreakerState[];
  /** Of the table alone, without its indexes, since the start. */
  readonly writeUnits: number;
}

export type FromChild =
  | { readonly kind: 'ready'; readonly port?: number | undefined }
  | LoadTold
  /** A line of an engine's log about load. */
  | { readonly kind: 'said'; readonly role: Role; readonly message: string; readonly fields: object }
  /** Since the last time. */
  | { readonly kind: 'submitted'; readonly offered: number; readonly ids: readonly string[] }
  /** Since the last time. */
  | { readonly kind: 'worked'; readonly succeeded: number; readonly leasesLost: number }
  | { readonly kind: 'failed'; readonly message: string };

export type ToChild =
  /** So many a second from now on; 0: none. */
  | { readonly kind: 'offer'; readonly perS: number }
  /** As fast as they are acknowledged, while less than so many are not yet done. */
  | { readonly kind: 'offerFreely'; readonly mostLeft: number }
  /** For `offerFreely`. */
  | { readonly kind: 'done'; readonly succeeded: number };
