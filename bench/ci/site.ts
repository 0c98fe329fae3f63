/** The service over an engine, on a clock that stands still: no timer fires, so that only the driven batches do work. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { Assignment, OutcomeKind, Settlement, SubmitItem } from '../../src/core/messages.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { sqlite } from '../../src/engines/sqlite/index.ts';
import type { Engine } from '../../src/ports/engine.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService } from '../../src/service/create-service.ts';
import type { Service, Session } from '../../src/service/service.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';

export type EngineName = 'sqlite' | 'memory';

export interface Site {
  readonly clock: VirtualClock;
  readonly service: Service;
  close(): Promise<void>;
}

/** A folder for one store file, which `remove` deletes. */
export function storeFolder(): { readonly path: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-counts-'));
  return { path: join(dir, 'queue.db'), remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export async function startSite(name: EngineName, path: string): Promise<Site> {
  const clock = virtualClock();
  const engine: Engine =
    name === 'memory' ? memory({ clock }) : await sqlite({ path, clock, log: silentLog, ballastBytes: 0 });
  const options = { ...engine, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  return {
    clock,
    service,
    async close() {
      await settled();
      await engine.close();
    },
  };
}

export const queue = { tenant: 'default', queue: 'counted' } as const;
const bytes = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(188) }));
const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
const spec = encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: undefined, payload });
const laneSpec = encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: 'lane', payload });

/** An item with 200 bytes of JSON. */
export function item(key: string, kind: 'free' | 'in a lane' = 'free'): SubmitItem {
  return { key, spec: kind === 'free' ? spec : laneSpec, options: noOptions, traceparent: '' };
}

export function settlementOf({ lease }: Assignment, outcome: OutcomeKind): Settlement {
  const message = outcome === 'failed' ? 'the receiver answered 503' : '';
  const parts = { errorType: '', afterMs: undefined, begun: false };
  return { lease, outcome, result: undefined, message, ...parts };
}

/** Submits each item by a call of its own, all of them in one turn of the event loop. */
export async function submitSingly({ service }: Site, items: readonly SubmitItem[]): Promise<void> {
  const calls = items.map((one) => service.submit(queue, [one], { notAfterMs: undefined }));
  ensureAccepted((await Promise.all(calls)).flat());
}

export async function submitBatch({ service }: Site, items: readonly SubmitItem[]): Promise<void> {
  ensureAccepted(await service.submit(queue, items, { notAfterMs: undefined }));
}

function ensureAccepted(
  results: readonly { readonly error?: { readonly message: string } | undefined }[],
): void {
  for (const { error } of results) if (error !== undefined) throw new Error(error.message);
}

/** Opens a worker's session with room for so many tasks. */
export function openWorker(
  { service }: Site,
  room: number,
  onAssigned: (tasks: readonly Assignment[], session: Session) => void,
): Session {
  const session: Session = service.openSession(
    {
      ...{ tenant: queue.tenant, workerName: 'worker', workerId: 'worker', queues: [queue.queue] },
      ...{ types: [{ type: 'noop', maxVersion: 1 }], tasks: room, bytes: 64_000_000, reportsBegun: false },
    },
    {
      assign(seq, tasks) {
        session.received(seq);
        onAssigned(tasks, session);
      },
      cancel() {},
      drain() {},
    },
  );
  return session;
}
