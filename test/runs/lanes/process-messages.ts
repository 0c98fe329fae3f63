/** What the processes of a run and their parent tell each other. */

/** Where everything is; given to each process at its start. */
export interface Place extends SharedPlace {
  /** Of what stands before the nodes; empty for the nodes themselves. */
  readonly address: string;
}

export interface SharedPlace {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  readonly seed: number;
  /** How many times as fast as the machine's clock theirs goes, all from one moment. */
  readonly speed: number;
  readonly startedAtMs: number;
}

/** What a submitter is to submit: its share of each lane. */
export interface SubmitterTask {
  readonly submitter: number;
  /** Of all tasks that are submitted, its part. */
  readonly share: number;
  readonly lanes: readonly string[];
  readonly tasksPerLane: number;
  readonly perSecond: number;
  /** So many of its tasks may be unfinished at once. */
  readonly window: number;
  /** Share of the tasks that it cancels as soon as they were acknowledged. */
  readonly cancelled: number;
}

/** One acknowledged submission, by the submitter's own clock. */
export interface Acknowledged {
  readonly id: string;
  readonly lane: string;
  readonly sentAtMs: number;
  readonly acknowledgedAtMs: number;
}

export type FromChild =
  | { readonly kind: 'ready'; readonly port?: number | undefined }
  | { readonly kind: 'acknowledged'; readonly tasks: readonly Acknowledged[] }
  /** All of it was acknowledged. */
  | { readonly kind: 'submitted' }
  /** Since the last time: ends that a worker's settlement brought. */
  | { readonly kind: 'worked'; readonly succeeded: number }
  /** So many attempts hang in this worker, as it was told. */
  | { readonly kind: 'holding'; readonly attempts: number }
  | { readonly kind: 'failed'; readonly message: string };

export type ToChild =
  | { readonly kind: 'submit'; readonly task: SubmitterTask }
  /** So many of all tasks succeeded by now. */
  | { readonly kind: 'succeeded'; readonly count: number }
  /** From now on attempts hang until the process is killed. */
  | { readonly kind: 'hold' };
