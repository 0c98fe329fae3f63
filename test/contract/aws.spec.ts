import { afterAll, beforeAll, vi } from 'vitest';
import { openTable } from '../../src/engines/aws/store.ts';
import { createTable } from '../../src/engines/aws/table.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { virtualClock } from '../../src/platform/virtual-clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Engine } from '../../src/ports/engine.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { storeContract } from './store-contract.ts';
import type { Open } from './subject.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let dynoxide: Dynoxide;
let tables = 0;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

/** On the table of a real process; bells as a message queue beside it would be. */
const onTable: Open = async () => {
  // Tokens and nonces come from the clock's chance, and the process is one for all tables.
  const clock = virtualClock({ seed: ++tables });
  // What it waits for is a real process, so its own waits are real ones.
  const real = systemClock();
  const itsClock: Clock = {
    ...clock,
    now: () => clock.now(),
    random: () => clock.random(),
    sleep: real.sleep,
  };
  const bells = memory({ clock, bells: 'apart' });
  const table = `contract-${tables}`;
  const open = (name: string): Engine => {
    const opened = openTable({ table, clock: itsClock, client: clientOf(dynoxide.endpoint) });
    const ringing = bells.connect(name);
    const { store, registry } = opened;
    return {
      store,
      registry,
      bells: ringing.bells,
      close: async () => {
        await Promise.all([opened.close(), ringing.close()]);
      },
    };
  };
  const first = open('first');
  await createTableOn(table, real);
  let current = first;
  return {
    engine: first,
    clock,
    reopen: async () => {
      await current.close();
      current = open('next');
      return current;
    },
  };
};

async function createTableOn(table: string, clock: Clock): Promise<void> {
  const { client, close } = openTable({ table, clock, client: clientOf(dynoxide.endpoint) });
  await createTable(client, table, clock);
  await close();
}

storeContract('aws, on a stand-in for DynamoDB', onTable);
