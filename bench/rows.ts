/** Counts the rows that the SQLite store writes per task, by the store's own statistics. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noOptions } from '../src/core/codec/options.ts';
import { encodeSpec } from '../src/core/codec/spec.ts';
import type { Assignment } from '../src/core/messages.ts';
import { sqlite } from '../src/engines/sqlite/index.ts';
import { startNode } from '../src/node/node.ts';
import { systemClock } from '../src/platform/clock.ts';
import { silentLog } from '../src/ports/log.ts';

const payload = {
  contentType: 'application/json',
  encoding: '',
  keyId: '',
  bytes: new TextEncoder().encode('{}'),
  reference: '',
};
const spec = encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: undefined, payload });
const count = 100;

function succeeded({ lease }: Assignment) {
  return {
    lease,
    outcome: 'succeeded',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  } as const;
}

/** Submits and processes a hundred tasks on an empty store and returns the rows written per task in each step. */
export async function rowsPerTask(): Promise<{ readonly submit: number; readonly process: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-rows-'));
  const clock = systemClock();
  const engine = await sqlite({ path: join(dir, 'queue.db'), clock, log: silentLog });
  const node = await startNode({ engine, clock, log: silentLog });
  const queue = { tenant: 'default', queue: 'rows' };
  const submit = async (key: string): Promise<unknown> =>
    node.service.submit(queue, [{ key, spec, options: noOptions, traceparent: '' }], {
      notAfterMs: undefined,
    });
  await submit('creates the queue');
  const beforeRows = engine.stats().rowsWritten;
  await Promise.all(Array.from({ length: count }, (_, i) => submit(`k${i}`)));
  const submittedRows = engine.stats().rowsWritten;
  const claimed = await node.service.claim({
    ...{ tenant: 'default', workerName: 'bench', workerId: 'bench', queues: [queue.queue] },
    ...{ types: [{ type: 'noop', maxVersion: 1 }], maxTasks: count, waitMs: 0, requestId: '' },
    signal: new AbortController().signal,
  });
  await node.service.settle(claimed.map(succeeded), { tenant: 'default', sessionId: undefined });
  const processedRows = engine.stats().rowsWritten;
  await node.close(0);
  rmSync(dir, { recursive: true, force: true });
  return {
    submit: (submittedRows - beforeRows) / count,
    process: (processedRows - submittedRows) / claimed.length,
  };
}
