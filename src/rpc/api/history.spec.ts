import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { apiNode, callContext, item, submitItems } from '../../../test/fixtures/api-node.ts';
import { limits } from '../../core/limits.ts';
import { GetTaskHistoryRequestSchema, TaskService } from '../gen/holdfast/v1/task_service_pb.ts';

it('GetTaskHistory returns a long history in pages that each fit into one message', async () => {
  const node = await apiNode();
  const [task] = await submitItems(node, item('k'));
  const id = task?.id ?? '';
  const rounds = 400;
  for (let i = 0; i < rounds; i++) {
    const [claimed] = await node.service.claim({
      ...{ tenant: 'default', workerName: 'w', workerId: 'i', queues: ['q'], requestId: '', waitMs: 0 },
      ...{ types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1, signal: new AbortController().signal },
    });
    if (claimed === undefined) expect.fail(`not claimed in round ${i}`);
    const released = { outcome: 'released', result: undefined, message: '', errorType: '' } as const;
    await node.service.settle([{ ...released, lease: claimed.lease, afterMs: undefined, begun: false }], {
      tenant: 'default',
      sessionId: undefined,
    });
    await node.clock.advance(1);
  }
  const kinds: number[] = [];
  let pages = 0;
  for (let hasMore = true; hasMore; pages++) {
    const request = create(GetTaskHistoryRequestSchema, { id, fromVersion: kinds.length });
    const page = await node.api.call(TaskService.method.getTaskHistory, request, callContext());
    expect(page.events.length).toBeLessThanOrEqual(limits.historyEvents);
    kinds.push(...page.events.map((event) => event.kind));
    hasMore = page.hasMore;
  }
  expect(pages).toBe(2);
  expect(kinds).toHaveLength(1 + 2 * rounds);
});
