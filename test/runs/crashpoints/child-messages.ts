/** What a process of a run and its parent tell each other. */

/** Where everything is. */
export interface Place {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  /** By how much an index may be behind its table, in ms of the machine. Who reads one waits so long first. */
  readonly lagMs: number;
}

/** A place, and how far the parent has moved the wall clock of everything on by now. */
export interface Now extends Place {
  readonly movedMs: number;
}

export type ToChild =
  /** Set the scene, say `armed`, wait for `go`, play. */
  | { readonly kind: 'play'; readonly scenario: string; readonly place: Now }
  | { readonly kind: 'go' }
  /** Bring everything to its end, and say what is wrong. `promised`: what callers were told. */
  | {
      readonly kind: 'recover';
      readonly scenario: string;
      readonly place: Now;
      readonly promised: readonly string[];
    }
  | { readonly kind: 'moved'; readonly movedMs: number };

export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'armed' }
  /** The wall clock of everything is to move on by so much. */
  | { readonly kind: 'move'; readonly ms: number }
  /** A caller was answered: `key:event` is promised to be in the task's history. */
  | { readonly kind: 'promised'; readonly what: string }
  | { readonly kind: 'played'; readonly error: string | undefined }
  | { readonly kind: 'recovered'; readonly problems: readonly string[]; readonly rounds: number };
