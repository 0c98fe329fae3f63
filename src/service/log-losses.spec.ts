import { expect, it } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { timing } from '../core/limits.ts';
import { memory } from '../engines/memory/index.ts';
import { startNode } from '../node/node.ts';
import { type Log, silentLog } from '../ports/log.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';

const hello = {
  ...{ tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] },
  ...{ types: [{ type: 'note', maxVersion: 1 }], tasks: 1, bytes: 1_000_000, reportsBegun: true },
};

it.each([
  ['a transactional broker, once the lease has expired', memory, false],
  ['an external broker, at the next claim', externalMemory, true],
] as const)('the server logs a lost worker with its task: %s', async (_when, engineOf, hasNext) => {
  const clock = virtualClock();
  const lines: { fields: unknown; message: string }[] = [];
  const log: Log = { ...silentLog, warn: (fields, message) => void lines.push({ fields, message }) };
  const node = await startNode({ engine: engineOf({ clock }), clock, log, node: 'n' });
  const sink = { assign() {}, cancel() {}, drain() {} };
  const session = node.service.openSession(hello, sink);
  await clock.advance(timing.leaseGraceMs);
  await node.service.submit({ tenant: 'default', queue: 'q' }, [item('a')], { notAfterMs: undefined });
  await clock.advance(100);
  session.begun([1], []);
  if (hasNext) node.service.openSession({ ...hello, workerId: '2' }, sink);
  await clock.advance(timing.leaseMs + timing.clockGuardMs + 5_000);
  expect(lines).toEqual([
    {
      fields: expect.objectContaining({ type: 'note', queue: 'q', worker: 'w/1', losses: 1, begun: 'yes' }),
      message: expect.stringMatching(
        /^task \S+ \(note\) has lost its worker 'w\/1'; workers lost so far: 1$/,
      ),
    },
  ]);
});
