/** What a seed must really have had; with less of it its world was too tame to count. */
const least = { nodes: 3, workers: 5, tasks: 60, lanes: 6, faults: 5 } as const;

export type Counts = Readonly<Record<keyof typeof least, number>>;

/** Who took part. */
export class Census {
  readonly #nodes = new Set<string>();
  readonly #workers = new Set<string>();
  readonly #lanes = new Set<string>();
  #tasks = 0;

  /** A node that served. */
  node(name: string): void {
    this.#nodes.add(name);
  }

  /** A worker that began a task, as claims name it. */
  worker(named: string): void {
    this.#workers.add(named.split('/')[0] ?? '');
  }

  task(lane: string | undefined): void {
    this.#tasks++;
    if (lane !== undefined) this.#lanes.add(lane);
  }

  /** A fault at different awaits is one kind. */
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

/** Why a seed does not count; undefined: it does. */
export function shortfall(counts: Counts): string | undefined {
  const short = (Object.keys(least) as (keyof Counts)[]).filter((what) => counts[what] < least[what]);
  if (short.length === 0) return undefined;
  return `this seed does not count: ${short.map((what) => `${counts[what]} ${what} of at least ${least[what]}`).join(', ')}`;
}
