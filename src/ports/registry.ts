export interface RegistryEntry {
  readonly key: string;
  readonly value: unknown;
  /** The revision of the record. It rises with every `put`. */
  readonly rev: number;
}

/**
 * Stores small shared records beside the tasks: queue settings, leases of nodes and shards, workers, progress
 * marks of the reconciler, audit. A value is anything that JSON can carry.
 */
export interface Registry {
  get(kind: string, key: string): Promise<RegistryEntry | undefined>;
  /** Writes a value if the record still has the revision that was read. Returns false if another write came first. */
  put(kind: string, key: string, value: unknown, expectRev: number | 'absent'): Promise<boolean>;
  /** Returns the records whose key begins with `prefix`, in the order of their keys. */
  list(kind: string, prefix: string): Promise<readonly RegistryEntry[]>;
}
