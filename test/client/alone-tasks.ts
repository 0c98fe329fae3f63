/** Submits tasks that have lost two workers, so that they must run alone. */
import { expect } from 'vitest';
import type { OutcomeKind } from '../../src/core/messages.ts';
import type { SubmittedTask, TaskType } from '../../src/index.ts';
import type { ClientServer } from './client-server.ts';

const tenant = 'default';

/** Submits a task that has lost two workers and becomes ready `laterMs` later. No worker may run yet. */
export async function submitLost(
  { node, client, advance }: Pick<ClientServer, 'node' | 'client' | 'advance'>,
  task: TaskType,
  n: number,
  laterMs: number,
): Promise<SubmittedTask<void>> {
  const submitted = await client.submit(task, { n } as never);
  const claimAndEnd = async (outcome: OutcomeKind): Promise<void> => {
    await advance(10);
    const [claimed] = await node.service.claim({
      ...{ tenant, queues: ['default'], types: [{ type: task.name, maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
      ...{ workerName: 'gone', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    const { lease } = claimed ?? expect.fail('nothing was claimed');
    const empty = { result: undefined, message: '', errorType: '', begun: true };
    await node.service.settle([{ lease, outcome, afterMs: laterMs, ...empty }], {
      tenant,
      sessionId: undefined,
    });
  };
  for (const outcome of ['lost', 'lost', 'snoozed'] as const) await claimAndEnd(outcome);
  expect(await submitted.status()).toMatchObject({ state: 'scheduled', losses: 2, attempt: 0 });
  return submitted as SubmittedTask<void>;
}
