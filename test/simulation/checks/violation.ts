/** The error that is thrown when a simulated cluster violates an invariant. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

export interface Rules {
  /** The names of invariants that the simulation does not check. */
  readonly ignored: ReadonlySet<string>;
  now(): number;
}

/** Throws a `Violation`, unless this simulated cluster ignores the invariant. */
export function reportViolation({ ignored }: Rules, invariant: string, message: string): void {
  if (!ignored.has(invariant)) throw new Violation(invariant, message);
}
