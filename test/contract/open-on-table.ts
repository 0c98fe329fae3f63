import { createTable } from '../../src/engines/aws/table/create.ts';
import { openTable } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Engine } from '../../src/ports/engine.ts';
import type { TaskStore } from '../../src/ports/task-store.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { engineClock } from '../aws/engine-on-table.ts';
import { clientOf } from '../stand-ins/dynoxide.ts';
import type { OpenEngine } from './subject.ts';

let tables = 0;

/** The methods of the store that read an index. */
const indexReads: ReadonlySet<string | symbol> = new Set(['list', 'due', 'counts', 'readyByType']);

/** Wraps a store so that its reads of an index wait until the index has caught up. */
function withCaughtUpIndexes(store: TaskStore, caughtUp: () => Promise<void>): TaskStore {
  return new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      if (!indexReads.has(name)) return method.bind(target);
      return async (...args: unknown[]) => {
        await caughtUp();
        return Reflect.apply(method, target, args);
      };
    },
  });
}

/**
 * Opens each test's engine on a DynamoDB table of its own, with the external broker of the memory engine beside it.
 * `caughtUp` resolves once lagging indexes show all writes: index reads wait for it, because the contract states what
 * they return in the end.
 */
export function onTable(endpoint: () => string, caughtUp?: () => Promise<void>): OpenEngine {
  return async () => {
    // Fencing tokens and nonces come from the clock's random numbers. Each table has its own seed, because the stand-in
    // for DynamoDB keeps the nonces of all tables together.
    const clock = virtualClock({ seed: ++tables });
    const table = `contract-${process.pid}-${tables}`;
    const brokerEngine = externalMemory({ clock });
    const open = (name: string): Engine => {
      const parts = openTable({ table, clock: engineClock(clock), client: clientOf(endpoint()) });
      const externalEngine = brokerEngine.connect(name);
      const store = caughtUp === undefined ? parts.store : withCaughtUpIndexes(parts.store, caughtUp);
      const close = async (): Promise<void> =>
        void (await Promise.all([parts.close(), externalEngine.close()]));
      return { store, registry: parts.registry, broker: externalEngine.broker, close };
    };
    const { client, close } = openTable({ table, clock, client: clientOf(endpoint()) });
    await createTable(client, table, systemClock());
    await close();
    let current = open('first');
    return {
      engine: current,
      clock,
      reopen: async () => {
        await current.close();
        current = open('next');
        return current;
      },
    };
  };
}
