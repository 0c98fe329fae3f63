/** Faults by kind, and a hash of every call of a port and every commit, so that two runs of a seed can be compared. */
export class Tally {
  readonly faults = new Map<string, number>();
  /** What happened in order: events of tasks by their kind, and what people did. */
  readonly events = new Map<string, number>();
  /** Calls of a port. */
  steps = 0;
  #hash = 0x811c9dc5;

  count(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  happened(what: string): void {
    this.events.set(what, (this.events.get(what) ?? 0) + 1);
  }

  note(text: string): void {
    for (let i = 0; i < text.length; i++) this.#hash = Math.imul(this.#hash ^ text.charCodeAt(i), 0x01000193);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }
}
