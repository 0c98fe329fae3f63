/** The interface that each system of the comparison implements, in a file of its own in `systems/`. */

/** A setting that differs from the system's default, and who recommends it. */
export interface Setting {
  readonly setting: string;
  readonly source: string;
}

export interface Peer {
  readonly name: string;
  /** True if an answer comes after the sync to disk. */
  readonly isSynced: boolean;
  /** `queue` is a task queue; `log` is a bare log without retries, delays and deduplication, printed as a floor. */
  readonly kind: 'queue' | 'log';
  /** Whether a settlement counts when the worker has sent it or when the server has confirmed it. */
  readonly settlement: 'sent' | 'confirmed';
  readonly settings: readonly Setting[];
  /** The tasks of a round for rows with single submissions, where they are slow. Default: those of the other rows. */
  readonly singleTasks?: number;
  /** Starts the server and prepares its schema. Runs in the driver's process. */
  start(server: ServerPlace): Promise<StartedServer>;
  /** Connects a submitter. Runs in a process of its own. */
  connect(address: string): Promise<Submitting>;
  /**
   * Starts a worker that settles each task of the queue at once. Runs in a process of its own. Without `inFlight` the system's
   * best prefetch is used.
   */
  work(address: string, queue: string, events: WorkEvents, inFlight?: number): Promise<Working>;
}

export interface ServerPlace {
  /** An empty folder, which is removed after the run. */
  readonly folder: string;
  freePort(): Promise<number>;
}

export interface StartedServer {
  /** The text by which submitters and workers connect. */
  readonly address: string;
  /** Creates a queue before its first use, where the system needs it. */
  createQueue?(queue: string): Promise<void>;
  stop(): Promise<void>;
}

export interface Submitting {
  /** Resolves when the task is accepted. */
  submit(queue: string): Promise<unknown>;
  /** Submits this number of tasks by one call, or in the way that the system has for batches. */
  submitBatch(queue: string, count: number): Promise<unknown>;
  close(): Promise<void>;
}

export interface WorkEvents {
  /** Called when the handler of a task begins. */
  began(): void;
  /** Called when this number of tasks was settled. */
  settled(count: number): void;
}

export interface Working {
  close(): Promise<void>;
}

/** The payload of each task: 200 bytes of JSON. */
export const payload: { readonly text: string } = { text: 'x'.repeat(188) };
export const payloadText: string = JSON.stringify(payload);
/** The tasks that are in flight strictly, in the rows that say so. */
export const strictInFlight = 64;
