import type { Broker } from '../../../src/ports/broker.ts';
import type { TaskId } from '../../../src/ports/task-store.ts';
import type { World } from '../world.ts';
import { reportViolation } from './violation.ts';

/**
 * Wraps a broker and checks an invariant: a running task keeps a dispatch message, so that another worker receives it when
 * the task's worker dies.
 */
export function checkedBroker(world: World, broker: Broker): Broker {
  return {
    ...broker,
    receive: async (queues, request) => {
      const deliveries = await broker.receive(queues, request);
      for (const { receiptHandle, message } of deliveries) world.taskOfReceipt.set(receiptHandle, message.id);
      return deliveries;
    },
    delete: async (receiptHandles, expectedQueue) => {
      const results = await broker.delete(receiptHandles, expectedQueue);
      for (const receiptHandle of receiptHandles)
        checkMessageLeft(world, world.taskOfReceipt.get(receiptHandle));
      return results;
    },
  };
}

function checkMessageLeft(world: World, id: TaskId | undefined): void {
  const task = world.shadow.tasks.get(id ?? '');
  if (task?.folded.state !== 'running' || world.engine.hasMessage(task.id)) return;
  try {
    reportViolation(
      world.rules,
      'runningTaskKeepsItsMessage',
      `the last message of ${task.id} was deleted while it runs`,
    );
  } catch (thrown) {
    world.fail(thrown);
  }
}
