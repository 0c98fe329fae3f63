/** Faults by kind, and a hash of all that happened, so that two runs of a seed can be compared. */
export class Tally {
  readonly faults = new Map<string, number>();
  /** Calls of a port. */
  steps = 0;
  #hash = 0x811c9dc5;

  count(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  note(text: string): void {
    for (let i = 0; i < text.length; i++) this.#hash = Math.imul(this.#hash ^ text.charCodeAt(i), 0x01000193);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }
}
