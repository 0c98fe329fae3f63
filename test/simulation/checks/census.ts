/**
 * The minimum numbers of nodes, workers, tasks, lanes and kinds of faults in a simulated cluster. A smaller cluster
 * does not count as a test.
 */
const minimum = { nodes: 3, workers: 5, tasks: 60, lanes: 6, faults: 5 } as const;

export type Counts = Readonly<Record<keyof typeof minimum, number>>;

/** Counts the nodes, workers, tasks and lanes that took part in a simulated cluster. */
export class Census {
  readonly #nodes = new Set<string>();
  readonly #workers = new Set<string>();
  readonly #lanes = new Set<string>();
  #tasks = 0;

  /** Counts a node that served calls. A node that was restarted counts once. */
  node(name: string): void {
    this.#nodes.add(name);
  }

  /** Counts a worker that claimed a task. `claimName` is the worker's name in the claim: its name, a slash and its id. */
  worker(claimName: string): void {
    this.#workers.add(claimName.split('/')[0] ?? '');
  }

  task(lane: string | undefined): void {
    this.#tasks++;
    if (lane !== undefined) this.#lanes.add(lane);
  }

  /**
   * Returns the numbers of nodes, workers, tasks, lanes and kinds of faults. A fault that was injected at different
   * places counts as one kind.
   */
  counts(faults: Iterable<string>): Counts {
    const kinds = new Set([...faults].map((fault) => fault.split(' at ')[0]));
    return {
      nodes: this.#nodes.size,
      workers: this.#workers.size,
      tasks: this.#tasks,
      lanes: this.#lanes.size,
      faults: kinds.size,
    };
  }
}

/**
 * Returns a message that says why the simulated cluster of a seed is too small to count as a test, or undefined if it
 * counts. An orderly cluster needs no faults.
 */
export function shortfall(counts: Counts, isOrderly = false): string | undefined {
  const keys = (Object.keys(minimum) as (keyof Counts)[]).filter((key) => !isOrderly || key !== 'faults');
  const short = keys.filter((key) => counts[key] < minimum[key]);
  if (short.length === 0) return undefined;
  return `this seed does not count: ${short.map((key) => `${counts[key]} ${key} of at least ${minimum[key]}`).join(', ')}`;
}
