export interface Registered {
  readonly key: string;
  readonly value: unknown;
  /** Rises with every put. */
  readonly rev: number;
}

/** Small things beside the tasks: queue configuration, node and shard leases, workers, markers, audit. Values are JSON. */
export interface Registry {
  get(kind: string, key: string): Promise<Registered | undefined>;
  /** Conditional on the revision that was read; false: somebody else was first. */
  put(kind: string, key: string, value: unknown, expectRev: number | 'absent'): Promise<boolean>;
  /** By key. */
  list(kind: string, prefix: string): Promise<readonly Registered[]>;
}
