import { createHash } from 'node:crypto';
import { createTable } from '../../src/engines/aws/table/create.ts';
import { openTable, type TableParts } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import { Bench } from '../contract/store-fixture.ts';
import { clientOf } from '../stand-ins/dynoxide.ts';

let tables = 0;

/** Time stands still, but what the engine itself waits for is a real process. */
export function engineClock(clock: VirtualClock): Clock {
  const { sleep } = systemClock();
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    random: () => clock.random(),
    uuid: () => clock.uuid(),
    after: (ms, run) => clock.after(ms, run),
    soon: (run) => clock.soon(run),
    sleep,
  };
}

export interface Site {
  readonly bench: Bench;
  readonly parts: TableParts;
  readonly clock: VirtualClock;
  readonly table: string;
  /** Another process on the same table, through another endpoint if named. */
  another(endpoint?: string, log?: Log): TableParts;
  close(): Promise<void>;
}

/** A table of its own on a stand-in that runs. */
export async function siteOn(endpoint: string, log?: Log): Promise<Site> {
  const clock = virtualClock({ seed: 10_000 + ++tables });
  const table = `site-${tables}`;
  const open = (at: string, itsLog: Log | undefined): TableParts =>
    openTable({ table, clock: engineClock(clock), log: itsLog, client: clientOf(at) });
  const opened: TableParts[] = [];
  const another = (at = endpoint, itsLog?: Log): TableParts => {
    const parts = open(at, itsLog);
    opened.push(parts);
    return parts;
  };
  const parts = another(endpoint, log);
  await createTable(parts.client, table, systemClock());
  // So that the first write asks for nothing beside.
  await parts.store.countDueShards?.();
  const { broker } = externalMemory({ clock });
  const engine = { store: parts.store, registry: parts.registry, broker, close: parts.close };
  const bench = new Bench({ engine, clock, reopen: async () => engine });
  const close = async (): Promise<void> => void (await Promise.all(opened.map((one) => one.close())));
  return { bench, parts, clock, table, another, close };
}

/** Bytes that nothing compresses, the same ones each time. */
export function noise(length: number, seed = 1): Uint8Array {
  const parts: Buffer[] = [];
  for (let i = 0; parts.length * 32 < length; i++) {
    parts.push(createHash('sha256').update(`${seed}/${i}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}
