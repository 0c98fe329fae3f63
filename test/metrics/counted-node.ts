/** A node whose work is counted, on an SQLite store and virtual time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { Assignment, OutcomeKind, SubmitItem, SubmitResult } from '../../src/core/messages.ts';
import { sqlite } from '../../src/engines/sqlite/index.ts';
import { type HoldfastNode, startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { prometheusText } from '../../src/telemetry/metrics/exposition.ts';
import { NodeCounters } from '../../src/telemetry/metrics/node-counters.ts';
import { type CollectedMetric, Registry } from '../../src/telemetry/metrics/registry.ts';
import { timedStore } from '../../src/telemetry/metrics/timed-store.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import { item, payload } from '../fixtures/api-node.ts';

export interface CountedNode {
  readonly node: HoldfastNode;
  readonly clock: VirtualClock;
  readonly registry: Registry;
  submit(items: readonly SubmitItem[], queue?: string): Promise<readonly SubmitResult[]>;
  claim(queue?: string, types?: readonly string[]): Promise<readonly Assignment[]>;
  settle(
    task: Assignment,
    outcome: OutcomeKind,
    more?: { begun?: boolean; errorType?: string },
  ): Promise<void>;
  collect(): Promise<readonly CollectedMetric[]>;
  /** Returns the lines of Prometheus's text that begin with this name, without counters that are 0. */
  lines(name: string): Promise<readonly string[]>;
  /** Makes the next write of a claim fail, as a full disk would. */
  failNextAppend(): void;
  /** Makes the store refuse each task of the next submission by itself, as with a full disk. */
  refuseNextAccept(): void;
  close(): Promise<void>;
}

export const target = { tenant: 'default', queue: 'mail' };

export function task(
  key: string,
  type = 'note',
  more: Partial<SubmitItem> = {},
  orderingKey?: string,
): SubmitItem {
  return item(key, {
    spec: encodeSpec({ type, typeVersion: 1, orderingKey, payload: payload('{}') }),
    ...more,
  });
}

export async function countedNode(tenants: readonly string[] = []): Promise<CountedNode> {
  const clock = virtualClock();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-counted-'));
  const registry = new Registry({ clock, log: silentLog, tenants, isExponential: true });
  const metrics = new NodeCounters(registry);
  const engine = await sqlite({ path: join(folder, 'queue.db'), clock });
  let failures = 0;
  const store = timedStore(engine.store, 'sqlite', registry, clock);
  let refusals = 0;
  const { append, accept } = store;
  const full = () => new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_FULL', 'The disk is full.');
  const failing = Object.defineProperties(store, {
    append: {
      value: async (...batch: Parameters<typeof append>) => {
        if (failures-- > 0) throw full();
        return append(...batch);
      },
    },
    accept: {
      value: async (...[batch]: Parameters<typeof accept>) => {
        if (refusals-- > 0) return batch.map(() => ({ kind: 'failed', error: full() }));
        return accept(batch);
      },
    },
  });
  const measured = { ...engine, store: failing };
  const node = await startNode({ engine: measured, clock, log: silentLog, metrics });
  const collect = () => registry.collect();
  return {
    node,
    clock,
    registry,
    submit: (items, queue = target.queue) =>
      node.service.submit({ ...target, queue }, items, { notAfterMs: undefined }),
    claim: (queue = target.queue, types = ['note']) =>
      node.service.claim({
        ...{ tenant: target.tenant, queues: [queue], types: types.map((type) => ({ type, maxVersion: 1 })) },
        ...{ workerName: 'w', workerId: '1', requestId: '', waitMs: 0, maxTasks: 10 },
        signal: new AbortController().signal,
      }),
    async settle({ lease }, outcome, { begun = true, errorType = '' } = {}) {
      const settlement = {
        lease,
        outcome,
        result: undefined,
        message: '',
        errorType,
        afterMs: undefined,
        begun,
      };
      await node.service.settle([settlement], { tenant: target.tenant, sessionId: undefined });
    },
    collect,
    async lines(name) {
      return (await prometheusText(await collect()))
        .split('\n')
        .filter((line) => line.startsWith(name) && !/_total(\{.*\})? 0$/.test(line));
    },
    failNextAppend() {
      failures = 1;
    },
    refuseNextAccept() {
      refusals = 1;
    },
    async close() {
      const closed = node.close();
      await clock.advance(2_000);
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}
