import type { Clock } from '../../../src/ports/clock.ts';

/** The process of a simulated worker, as the invariants see it. */
export interface ObservedProcess {
  readonly name: string;
  readonly dead: boolean;
  /** True while the process stands still, and until it has received what came meanwhile. */
  readonly isBehind: boolean;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** The slots of a worker of the SDK, as the invariants see them. */
export interface WorkerSlots {
  readonly process: ObservedProcess;
  readonly concurrency: number;
  /** Returns how many attempts of this task type may run at once in the worker. */
  limitOf(type: string): number;
  /** True once the worker was asked to stop. */
  readonly isStopping: boolean;
}
