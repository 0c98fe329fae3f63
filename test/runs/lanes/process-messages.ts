/** The messages between the processes of a run of `npm run lanes` and their parent process. */

/** The addresses that each process of a run of `npm run lanes` gets at its start. */
export interface LaneAddress extends LaneStoreAddress {
  /** The address of the load balancer before the API nodes. Empty for the nodes themselves. */
  readonly api: string;
}

export interface LaneStoreAddress {
  readonly table: string;
  readonly dynamodb: string;
  readonly sqs: string;
  readonly seed: number;
  /** The speed of the processes' clocks relative to the machine's clock. */
  readonly speed: number;
  /** The time of the machine's clock at which the processes' clocks began to differ from it. */
  readonly startedAtMs: number;
}

/** The tasks that one submitter submits: its share of each lane. */
export interface SubmitterPlan {
  readonly submitter: number;
  /** The submitter's share of all tasks, from 0 to 1. */
  readonly share: number;
  readonly lanes: readonly string[];
  readonly tasksPerLane: number;
  readonly perSecond: number;
  /** The largest number of tasks of this submitter that may be unfinished at once. */
  readonly window: number;
  /** The share of its tasks that the submitter cancels as soon as they are acknowledged. */
  readonly cancelled: number;
}

/** One acknowledged submission, with times of the submitter's clock. */
export interface Acknowledgement {
  readonly id: string;
  readonly lane: string;
  readonly sentAtMs: number;
  readonly acknowledgedAtMs: number;
}

export type LaneReport =
  | { readonly kind: 'ready'; readonly port?: number | undefined }
  | { readonly kind: 'acknowledged'; readonly tasks: readonly Acknowledgement[] }
  /** Reports that all submissions of the submitter's plan were acknowledged. */
  | { readonly kind: 'submitted' }
  /** The number of tasks that this worker completed since its last report. */
  | { readonly kind: 'worked'; readonly succeeded: number }
  /** The number of attempts that this worker holds after the command `hold`. */
  | { readonly kind: 'holding'; readonly attempts: number }
  | { readonly kind: 'failed'; readonly message: string };

export type LaneCommand =
  | { readonly kind: 'submit'; readonly plan: SubmitterPlan }
  /** The number of all tasks that have succeeded by now. */
  | { readonly kind: 'succeeded'; readonly count: number }
  /** Lets each new attempt wait until the process is killed. */
  | { readonly kind: 'hold' };
