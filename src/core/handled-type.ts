/** A task type that a worker handles. */
export interface HandledType {
  readonly type: string;
  /** The newest version of the task type that the worker handles. The worker is never given a newer one. */
  readonly maxVersion: number;
}

/** Returns true if a worker that handles these task types may be given a task of this type and version. */
export function handlesType(types: readonly HandledType[], type: string, typeVersion: number): boolean {
  return types.some((handled) => handled.type === type && handled.maxVersion >= typeVersion);
}
