import type { Clock } from '../../ports/clock.ts';
import type { Acceptance, AcceptOutcome, Change, TaskStore, WriteOutcome } from '../../ports/task-store.ts';
import type { Registry } from './registry.ts';
import type { Histogram } from './series.ts';

type Operation = 'accept' | 'append';

/** Records the time and the number of tasks of each write of a store. Calls of the store keep their own object. */
export function timedStore(store: TaskStore, engine: string, registry: Registry, clock: Clock): TaskStore {
  const seriesOf = (operation: Operation): { readonly duration: Histogram; readonly rows: Histogram } => ({
    duration: registry.histogram('holdfast.store.commit.duration', { engine, operation }),
    rows: registry.histogram('holdfast.store.commit.rows', { engine, operation }),
  });
  const accepts = seriesOf('accept');
  const appends = seriesOf('append');
  const accept = async (batch: readonly Acceptance[]): Promise<readonly AcceptOutcome[]> => {
    const beganMs = clock.monotonic();
    try {
      return await store.accept(batch);
    } finally {
      accepts.duration.record((clock.monotonic() - beganMs) / 1_000);
      accepts.rows.record(batch.length);
    }
  };
  const append = async (batch: readonly Change[]): Promise<readonly WriteOutcome[]> => {
    const beganMs = clock.monotonic();
    try {
      return await store.append(batch);
    } finally {
      appends.duration.record((clock.monotonic() - beganMs) / 1_000);
      appends.rows.record(batch.length);
    }
  };
  return Object.defineProperties(membersOf(store), { accept: { value: accept }, append: { value: append } });
}

/**
 * Returns an object with every member of a store, whatever class it has and whichever optional methods. A Proxy would cost
 * time in each call.
 */
function membersOf(store: TaskStore): TaskStore {
  const members: object = {};
  for (
    let of: object | null = store;
    of !== null && of !== Object.prototype;
    of = Object.getPrototypeOf(of)
  ) {
    for (const name of Object.getOwnPropertyNames(of)) {
      if (name === 'constructor' || Object.hasOwn(members, name)) continue;
      const value: unknown = Reflect.get(store, name);
      const member =
        typeof value === 'function' ? { value: value.bind(store) } : { get: () => Reflect.get(store, name) };
      Object.defineProperty(members, name, { ...member, enumerable: true, configurable: true });
    }
  }
  return members as TaskStore;
}
