/** The messages between the parent process of a crash point run and its children. */

/** The table that one crash point uses, and the endpoints of DynamoDB and SQS. */
export interface StoreAddress {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  /**
   * The longest lag of an index behind its table, in ms of the machine's clock. A reader of an index waits for this
   * time.
   */
  readonly lagMs: number;
}

/**
 * The address of a store, and the milliseconds by which the parent has moved the wall clock of all processes forward so
 * far.
 */
export interface StoreAtTime extends StoreAddress {
  readonly movedMs: number;
}

export type ScenarioCommand =
  /** Tells the child to set up a scenario, report `isSetUp`, wait for `start`, and run the scenario. */
  | { readonly kind: 'run'; readonly scenario: string; readonly store: StoreAtTime }
  | { readonly kind: 'start' }
  /**
   * Tells the child to work until every task has ended, and to report the problems. Callers got an answer for the
   * `acknowledged` events.
   */
  | {
      readonly kind: 'recover';
      readonly scenario: string;
      readonly store: StoreAtTime;
      readonly acknowledged: readonly string[];
    }
  | { readonly kind: 'clockMoved'; readonly movedMs: number };

export type ScenarioReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'isSetUp' }
  /** Requests that the parent move the wall clock of all processes forward. */
  | { readonly kind: 'moveClock'; readonly ms: number }
  /** Reports that a caller got its answer, so the task's history must have this event (`key:event`) from now on. */
  | { readonly kind: 'acknowledged'; readonly event: string }
  | { readonly kind: 'ran'; readonly error: string | undefined }
  | { readonly kind: 'recovered'; readonly problems: readonly string[]; readonly rounds: number };
