import type { Bells } from '../../../src/ports/broker.ts';
import type { TaskId } from '../../../src/ports/task-store.ts';
import type { World } from '../world.ts';
import { broken } from './violation.ts';

/** The bells as the invariants watch them: while a task is worked on it keeps one, which calls another when its worker dies. */
export function watchedBells(world: World, bells: Bells): Bells {
  return {
    ...bells,
    receive: async (queues, want) => {
      const heard = await bells.receive(queues, want);
      for (const { handle, ring } of heard) world.heard.set(handle, ring.id);
      return heard;
    },
    silence: async (handles, of) => {
      const done = await bells.silence(handles, of);
      for (const handle of handles) judge(world, world.heard.get(handle));
      return done;
    },
  };
}

function judge(world: World, id: TaskId | undefined): void {
  const seen = world.shadow.tasks.get(id ?? '');
  if (seen?.folded.state !== 'running' || world.engine.hasBell(seen.id)) return;
  try {
    broken(world.rules, 'whatRunsKeepsABell', `the last bell of ${seen.id} was silenced while it runs`);
  } catch (thrown) {
    world.fail(thrown);
  }
}
