import { expect, it } from 'vitest';
import { apiNode, item, submitted } from '../../test/rig/api-node.ts';
import type { Assignment } from '../core/messages.ts';

it('a worker with more credits than one batch holds is given all that it has room for', async () => {
  const node = await apiNode();
  for (const part of ['a', 'b', 'c']) {
    await submitted(node, ...Array.from({ length: 100 }, (_, i) => item(`${part}-${i}`)));
  }
  const assigned: Assignment[] = [];
  const hello = { tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] };
  const types = [{ type: 'note', maxVersion: 1 }];
  const session = node.service.openSession(
    { ...hello, types, tasks: 256, bytes: 1_000_000 },
    { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
  );
  await node.clock.advance(1_000);
  expect(assigned).toHaveLength(256);
  session.close();
});
