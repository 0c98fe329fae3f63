import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { TaskId } from '../../ports/task-store.ts';
import { type BellKind, bellsOf } from './broker/broker.ts';
import { BellsApart } from './broker/external-broker.ts';
import { BellsInCommit } from './broker/transactional-broker.ts';
import type { Faults } from './faults.ts';
import { operator } from './operate.ts';
import { type Kinds, registry } from './registry.ts';
import { Tables } from './tables.ts';
import { type StoreParts, taskStore } from './task-store.ts';

export interface MemoryOptions {
  readonly clock: Clock;
  /**
   * `in-commit`: like the embedded store, one process, bells and due entries derived from the heads. `apart`: like a
   * table with a message queue beside it, which knows only what was rung.
   */
  readonly bells: 'in-commit' | 'apart';
  /** What goes wrong; nothing by default. */
  readonly faults?: Faults | undefined;
}

export interface MemoryEngine extends Engine {
  /**
   * Another process's way into the same store, named for faults. Closing it ends its own calls only; the store lives on as long as somebody refers to it.
   */
  connect(caller: string): Engine;
  /** Whether a task has a bell, hidden or not: what no node can know, and what must not be lost. */
  hasBell(id: TaskId): boolean;
}

const shardsApart = 8;

/** The reference engine: everything in memory, gone with the process. For tests, the test kit and the simulation. */
export function memory({ clock, bells, faults = {} }: MemoryOptions): MemoryEngine {
  const dueShards = bells === 'apart' ? shardsApart : 1;
  const indexLagMs = (): number => faults.indexLagMs?.() ?? 0;
  const tables = new Tables({ dueShards, now: () => clock.now(), indexLagMs });
  const kind: BellKind =
    bells === 'apart' ? new BellsApart(clock, faults) : new BellsInCommit(tables, clock, faults);
  const kinds: Kinds = new Map();
  const parts: StoreParts = { tables, clock, faults, bells, dueShards };

  function connect(caller: string): Engine {
    const closing = new AbortController();
    const operate = operator(caller, faults, closing.signal);
    return {
      store: taskStore(parts, operate),
      bells: bellsOf(kind, clock, operate, closing.signal),
      registry: registry(kinds, operate),
      close: async () => closing.abort(),
    };
  }
  return { ...connect(''), connect, hasBell: (id) => kind.hangs(id) };
}
