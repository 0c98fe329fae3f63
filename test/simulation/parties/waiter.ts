import { TaskFailedError } from '../../../src/client/errors.ts';
import type { TaskHandle } from '../../../src/client/tasks/task-handle.ts';
import { Violation } from '../checks/violation.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { mustPass } from '../network/refusals.ts';
import type { JobResult, Wish } from './job.ts';

/** Waits by the SDK until the task has ended, and holds the answer against what was committed. */
export async function waitForResult(
  { world }: Network,
  process: SimProcess,
  task: TaskHandle<JobResult>,
  { n }: Wish,
): Promise<void> {
  const answered = world.waits.begin(process, task.id);
  for (;;) {
    try {
      judge(await task.result());
      break;
    } catch (thrown) {
      if (thrown instanceof TaskFailedError) {
        if (!seen().failed)
          throw new Violation('resultIsTheWinners', `${task.id} is said to be ${thrown.state}`);
        break;
      }
      mustPass(thrown, `the result of ${task.id}`);
    }
    await process.clock.sleep(world.between(500, 3_000));
  }
  answered();

  function seen() {
    const known = world.shadow.tasks.get(task.id);
    if (known === undefined) throw new Violation('acknowledgedIsStored', `${task.id} was never committed`);
    return known;
  }
  function judge(result: JobResult): void {
    const [winner] = seen().winners;
    if (result.n !== n || result.fencingToken !== winner)
      throw new Violation('resultIsTheWinners', `${task.id}: ${JSON.stringify(result)}, won by ${winner}`);
  }
}
