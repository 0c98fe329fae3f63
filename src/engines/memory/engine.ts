import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { TaskId } from '../../ports/task-store.ts';
import { type BrokerKind, brokerOf } from './broker/broker.ts';
import { TransactionalBroker } from './broker/transactional-broker.ts';
import type { Faults } from './faults.ts';
import { operator } from './operate.ts';
import { type Kinds, registry } from './registry.ts';
import { Tables } from './tables.ts';
import { type StoreParts, taskStore } from './task-store.ts';

export interface MemoryOptions {
  readonly clock: Clock;
  /**
   * Creates an external broker. Such a broker is separate from the store, as SQS is from DynamoDB, and knows only the
   * messages that were sent to it. Default: a transactional broker, which follows each commit of the store, as in the
   * embedded engine.
   */
  readonly external?: ((clock: Clock, faults: Faults) => BrokerKind) | undefined;
  /** The functions that inject faults into the calls of the memory engine. Default: no faults. */
  readonly faults?: Faults | undefined;
}

export interface MemoryEngine extends Engine {
  /**
   * Connects another process to the same store. The fault functions get `caller` as the name of this process. Closing the
   * returned engine ends only the calls of this process; the store exists as long as it is referenced.
   */
  connect(caller: string): Engine;
  /**
   * Returns true if the task has a dispatch message, hidden or visible. Only tests may call this: a real broker has no
   * such call.
   */
  hasMessage(id: TaskId): boolean;
}

const externalShards = 8;

/** Creates the reference engine, which keeps everything in memory. It serves `memory:`, tests and the simulation. */
export function memory({ clock, external, faults = {} }: MemoryOptions): MemoryEngine {
  const isExternal = external !== undefined;
  const dueShards = isExternal ? externalShards : 1;
  const indexLagMs = (): number => faults.indexLagMs?.() ?? 0;
  const tables = new Tables({ dueShards, now: () => clock.now(), indexLagMs });
  const kind: BrokerKind = external?.(clock, faults) ?? new TransactionalBroker(tables, clock, faults);
  const kinds: Kinds = new Map();
  const parts: StoreParts = { tables, clock, faults, isExternal, dueShards };

  function connect(caller: string): Engine {
    const closing = new AbortController();
    const operate = operator(caller, faults, closing.signal);
    return {
      store: taskStore(parts, operate),
      broker: brokerOf(kind, clock, operate, closing.signal),
      registry: registry(kinds, operate),
      close: async () => closing.abort(),
    };
  }
  return { ...connect(''), connect, hasMessage: (id) => kind.hasMessage(id) };
}
