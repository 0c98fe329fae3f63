/** A rule that a world broke, by name. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

export interface Rules {
  /** Names of invariants that are not judged. */
  readonly blindTo: ReadonlySet<string>;
  now(): number;
}

/** Throws, unless this invariant is not judged in this world. */
export function broken({ blindTo }: Rules, invariant: string, message: string): void {
  if (!blindTo.has(invariant)) throw new Violation(invariant, message);
}
