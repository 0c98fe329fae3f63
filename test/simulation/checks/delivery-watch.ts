import type { Broker } from '../../../src/ports/broker.ts';
import type { TaskId } from '../../../src/ports/task-store.ts';
import type { World } from '../world.ts';
import { broken } from './violation.ts';

/** The bells as the invariants watch them: while a task is worked on it keeps one, which calls another when its worker dies. */
export function watchedBroker(world: World, broker: Broker): Broker {
  return {
    ...broker,
    receive: async (queues, want) => {
      const received = await broker.receive(queues, want);
      for (const { receiptHandle, message } of received) world.receiveMessage.set(receiptHandle, message.id);
      return received;
    },
    delete: async (receiptHandles, of) => {
      const done = await broker.delete(receiptHandles, of);
      for (const receiptHandle of receiptHandles) judge(world, world.receiveMessage.get(receiptHandle));
      return done;
    },
  };
}

function judge(world: World, id: TaskId | undefined): void {
  const seen = world.shadow.tasks.get(id ?? '');
  if (seen?.folded.state !== 'running' || world.engine.hasMessage(seen.id)) return;
  try {
    broken(world.rules, 'whatRunsKeepsABell', `the last bell of ${seen.id} was silenced while it runs`);
  } catch (thrown) {
    world.fail(thrown);
  }
}
