import { createTable } from '../../src/engines/aws/table/create.ts';
import { openTable } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Engine } from '../../src/ports/engine.ts';
import type { TaskStore } from '../../src/ports/task-store.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { engineClock } from '../aws/engine-on-table.ts';
import { clientOf } from '../stand-ins/dynoxide.ts';
import type { Open } from './subject.ts';

let tables = 0;

/** Index reads that wait until the index has caught up; everything else as it is. */
function afterIndexes(store: TaskStore, caughtUp: () => Promise<void>): TaskStore {
  const late = new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      if (name !== 'list' && name !== 'due' && name !== 'counts') return method.bind(target);
      return async (...args: unknown[]) => {
        await caughtUp();
        return Reflect.apply(method, target, args);
      };
    },
  });
  return late;
}

/**
 * Each test on a table of its own in a real process, with the bells of a message queue in memory beside it.
 * `caughtUp`: where indexes lag, what to wait for before they are read, since the contract says what is found at last.
 */
export function onTable(endpoint: () => string, caughtUp?: () => Promise<void>): Open {
  return async () => {
    // Tokens and nonces come from the clock's chance, and the stand-in knows those of every table.
    const clock = virtualClock({ seed: ++tables });
    const table = `contract-${process.pid}-${tables}`;
    const brokerEngine = externalMemory({ clock });
    const open = (name: string): Engine => {
      const parts = openTable({ table, clock: engineClock(clock), client: clientOf(endpoint()) });
      const externalEngine = brokerEngine.connect(name);
      const store = caughtUp === undefined ? parts.store : afterIndexes(parts.store, caughtUp);
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
