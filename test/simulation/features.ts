/** The things that happen in a simulated cluster beside the usual submissions and attempts. The seed chooses them. */
export interface Features {
  /**
   * True if nothing fails by chance: no process dies or stalls, no message is lost, no call is slow. Servers and workers
   * are still stopped in an orderly way. Such a cluster shows what must never happen without a fault.
   */
  readonly isOrderly: boolean;
  /** Some tasks end the process of the worker that calls their handler. */
  readonly hasPoison: boolean;
  /** Some task types may use fewer slots of a worker than the worker has. */
  readonly limitsTypes: boolean;
  /** Some submissions come at one moment, so that workers fetch tasks ahead. */
  readonly hasBursts: boolean;
  /** Some tasks of a burst have a deadline that passes while they wait in a worker. */
  readonly hasShortDeadlines: boolean;
  readonly pausesQueues: boolean;
  readonly cancelsWaves: boolean;
  /** Servers stand still for 5 to 60 s: all of them at one moment if the cluster is orderly. */
  readonly hasServerGaps: boolean;
  /** The number of workers that are nodes themselves and begin at once, as workers that poll SQS do. */
  readonly pollingWorkers: number;
}

/** Returns the features of a seed. `chance(p)` returns true with the probability `p`. */
export function featuresOf(seed: number, chance: (p: number) => boolean): Features {
  const isOrderly = chance(0.25);
  const hasServerGaps = chance(isOrderly ? 0.4 : 0.25);
  // While all servers stand still, a node of another process would rightly take the leases that no server can renew.
  const mayPoll = !(isOrderly && hasServerGaps);
  return {
    isOrderly,
    hasPoison: chance(isOrderly ? 0.5 : 0.3),
    limitsTypes: chance(0.5),
    hasBursts: chance(0.5),
    hasShortDeadlines: seed % 4 === 0,
    pausesQueues: chance(0.4),
    cancelsWaves: chance(0.3),
    hasServerGaps,
    pollingWorkers: mayPoll && chance(0.4) ? 1 : 0,
  };
}
