import { createHash } from 'node:crypto';
import { createTable } from '../../src/engines/aws/table/create.ts';
import { openTable, type TableParts } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import { StoreFixture } from '../contract/store-fixture.ts';
import { clientOf } from '../stand-ins/dynoxide.ts';

let tables = 0;

/**
 * Returns a clock whose time moves only when the test advances the virtual clock. Only `sleep` waits in real time,
 * because the engine waits for a DynamoDB stand-in in another process.
 */
export function engineClock(clock: VirtualClock): Clock {
  const { sleep } = systemClock();
  return {
    now: () => clock.now(),
    machineNow: () => clock.machineNow(),
    monotonic: () => clock.monotonic(),
    random: () => clock.random(),
    uuid: () => clock.uuid(),
    secret: () => clock.secret(),
    after: (ms, run) => clock.after(ms, run),
    soon: (run) => clock.soon(run),
    sleep,
  };
}

/** The AWS engine's task store and registry on a DynamoDB table of their own, with a message broker in memory. */
export interface EngineOnTable {
  readonly fixture: StoreFixture;
  readonly parts: TableParts;
  readonly clock: VirtualClock;
  readonly table: string;
  /** Opens the same DynamoDB table again, as another process would, through another endpoint if one is given. */
  another(endpoint?: string, log?: Log): TableParts;
  close(): Promise<void>;
}

/** Creates a new table on a running DynamoDB stand-in and opens the task store and the registry on it. */
export async function openEngineOnTable(endpoint: string, log?: Log): Promise<EngineOnTable> {
  const clock = virtualClock({ seed: 10_000 + ++tables });
  const table = `engine-${tables}`;
  const open = (at: string, nodeLog: Log | undefined): TableParts =>
    openTable({ table, clock: engineClock(clock), log: nodeLog, client: clientOf(at) });
  const opened: TableParts[] = [];
  const another = (at = endpoint, nodeLog?: Log): TableParts => {
    const parts = open(at, nodeLog);
    opened.push(parts);
    return parts;
  };
  const parts = another(endpoint, log);
  await createTable(parts.client, table, systemClock());
  // Reads the shard counts now, so that the first write of a test makes no other request.
  await parts.store.countDueShards?.();
  const { broker } = externalMemory({ clock });
  const engine = { store: parts.store, registry: parts.registry, broker, close: parts.close };
  const fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
  const close = async (): Promise<void> => void (await Promise.all(opened.map((one) => one.close())));
  return { fixture, parts, clock, table, another, close };
}

/** Returns bytes that cannot be compressed. The same length and seed give the same bytes. */
export function noise(length: number, seed = 1): Uint8Array {
  const parts: Buffer[] = [];
  for (let i = 0; parts.length * 32 < length; i++) {
    parts.push(createHash('sha256').update(`${seed}/${i}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}
