import type { SimProcess } from '../network/process.ts';

/** The slots of a worker of the SDK, as the invariants see them from outside. */
export interface WorkerSlots {
  readonly process: SimProcess;
  readonly concurrency: number;
  /** Returns how many attempts of this task type may run at once in the worker. */
  limitOf(type: string): number;
  /** True once the worker was asked to stop. */
  readonly isStopping: boolean;
}
