/** The fixed batches whose work is counted, driven at the service of a node. */
import type { Assignment, OutcomeKind } from '../../src/core/messages.ts';
import type { Session } from '../../src/service/service.ts';
import { seededRandom } from '../../src/testing/random.ts';
import { item, openWorker, queue, type Site, settlementOf, submitBatch, submitSingly } from './site.ts';

/** A scenario, whose rounds all do the same work. */
export interface Scenario {
  readonly name: string;
  /** The tasks of one round, by which its counts are divided. */
  readonly tasks: number;
  /** Prepares this number of rounds, uncounted, and returns the function that drives one of them. */
  prepare(site: Site, rounds: number): Promise<Driven>;
}

export interface Driven {
  round(): Promise<void>;
  end?(): unknown;
}

const callers = 64;
const bulkItems = 100;
const inFlight = 100;

/** Returns a source of ascending keys, or of random ones that are the same in every run. */
function keys(kind: 'ordered' | 'random'): () => string {
  const random = seededRandom(7);
  let count = 0;
  const digits = (): string =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  return () => (kind === 'random' ? digits() + digits() : `k${String(count++).padStart(12, '0')}`);
}

function itemsOf(key: () => string, count: number): ReturnType<typeof item>[] {
  return Array.from({ length: count }, () => item(key()));
}

function singly(kind: 'ordered' | 'random'): Scenario {
  return {
    name: `submit singly, 64 callers, ${kind} keys`,
    tasks: callers,
    async prepare(site) {
      const key = keys(kind);
      return { round: () => submitSingly(site, itemsOf(key, callers)) };
    },
  };
}

const bulk: Scenario = {
  name: 'submit in bulk',
  tasks: bulkItems,
  async prepare(site) {
    const key = keys('ordered');
    return { round: () => submitBatch(site, itemsOf(key, bulkItems)) };
  },
};

const duplicates: Scenario = {
  name: 'submit again with the same keys',
  tasks: callers,
  async prepare(site) {
    const items = itemsOf(keys('ordered'), callers);
    await submitSingly(site, items);
    return { round: () => submitSingly(site, items) };
  },
};

/** Gathers the assigned tasks of a session until a round has all of its own. */
class Gathered {
  #tasks: Assignment[] = [];
  #wanted = 0;
  #resolve: (tasks: Assignment[]) => void = () => {};

  readonly add = (tasks: readonly Assignment[]): void => {
    this.#tasks.push(...tasks);
    this.#offer();
  };

  take(count: number): Promise<Assignment[]> {
    this.#wanted = count;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#offer();
    });
  }

  #offer(): void {
    if (this.#wanted === 0 || this.#tasks.length < this.#wanted) return;
    const taken = this.#tasks.splice(0, this.#wanted);
    this.#wanted = 0;
    this.#resolve(taken);
  }
}

async function settleAll(
  { service }: Site,
  tasks: readonly Assignment[],
  session: Session,
  outcome: OutcomeKind = 'succeeded',
): Promise<void> {
  const items = tasks.map((task) => settlementOf(task, outcome));
  const { results } = await service.settle(items, { tenant: queue.tenant, sessionId: session.id });
  for (const { error } of results) if (error !== undefined) throw new Error(error.message);
}

const filled: Scenario = {
  name: 'process a filled queue, 100 in flight',
  tasks: inFlight,
  async prepare(site, rounds) {
    const key = keys('ordered');
    for (let i = 0; i <= rounds; i++) await submitBatch(site, itemsOf(key, inFlight));
    const gathered = new Gathered();
    const session = openWorker(site, inFlight, gathered.add);
    return {
      async round() {
        await settleAll(site, await gathered.take(inFlight), session);
        await site.clock.settle();
      },
      end: () => session.close(),
    };
  },
};

/** Submits while a worker waits, so that each task is claimed in the commit that accepts it. */
const both: Scenario = {
  name: 'submit and process, a worker waits',
  tasks: callers,
  async prepare(site) {
    const key = keys('ordered');
    const gathered = new Gathered();
    const session = openWorker(site, inFlight, gathered.add);
    return {
      async round() {
        await submitSingly(site, itemsOf(key, callers));
        await settleAll(site, await gathered.take(callers), session);
        await site.clock.settle();
      },
      end: () => session.close(),
    };
  },
};

const lane: Scenario = {
  name: 'submit and process in one lane',
  tasks: 8,
  async prepare(site) {
    const key = keys('ordered');
    const gathered = new Gathered();
    const session = openWorker(site, inFlight, gathered.add);
    return {
      async round() {
        await submitBatch(
          site,
          Array.from({ length: 8 }, () => item(key(), 'in a lane')),
        );
        for (let i = 0; i < 8; i++) await settleAll(site, await gathered.take(1), session);
        await site.clock.settle();
      },
      end: () => session.close(),
    };
  },
};

const givenBack: Scenario = {
  name: 'submit, give back once and succeed',
  tasks: callers,
  async prepare(site) {
    const key = keys('ordered');
    const gathered = new Gathered();
    const session = openWorker(site, inFlight, gathered.add);
    return {
      async round() {
        await submitBatch(site, itemsOf(key, callers));
        await settleAll(site, await gathered.take(callers), session, 'released');
        await site.clock.settle();
        await settleAll(site, await gathered.take(callers), session);
        await site.clock.settle();
      },
      end: () => session.close(),
    };
  },
};

const heartbeats: Scenario = {
  name: 'renew leases',
  tasks: inFlight,
  async prepare(site) {
    const gathered = new Gathered();
    const session = openWorker(site, inFlight, gathered.add);
    await submitBatch(site, itemsOf(keys('ordered'), inFlight));
    const held = await gathered.take(inFlight);
    const items = held.map(({ lease }) => ({ lease, begun: true, progress: undefined }));
    return {
      async round() {
        await site.clock.advance(1_000);
        const answers = await site.service.heartbeat(items, { tenant: queue.tenant });
        for (const { verdict } of answers) if (verdict !== 'renewed') throw new Error(verdict);
      },
      end: () => session.close(),
    };
  },
};

export const scenarios: readonly Scenario[] = [
  singly('ordered'),
  singly('random'),
  bulk,
  duplicates,
  filled,
  both,
  lane,
  givenBack,
  heartbeats,
];
