/** Counts faults and events by kind, and hashes every port call and commit, so that two runs of a seed can be compared. */
export class Tally {
  readonly faults = new Map<string, number>();
  /** The number of task events, and of actions such as `worker stopped`, by kind. */
  readonly events = new Map<string, number>();
  /** The number of calls of all nodes to the store, the broker and the registry. */
  steps = 0;
  #hash = 0x811c9dc5;

  countFault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  countEvent(what: string): void {
    this.events.set(what, (this.events.get(what) ?? 0) + 1);
  }

  addToHash(text: string): void {
    for (let i = 0; i < text.length; i++) this.#hash = Math.imul(this.#hash ^ text.charCodeAt(i), 0x01000193);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }
}
