import { TaskFailedError } from '../../../src/client/errors.ts';
import type { TaskHandle } from '../../../src/client/tasks/task-handle.ts';
import { Violation } from '../checks/violation.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { rethrowUnlessTransient } from '../network/transient.ts';
import type { JobResult, PlannedSubmission } from './job.ts';

/** Waits with the SDK until the task has ended, and compares the result that the SDK returns with the committed result. */
export async function waitForResult(
  { world }: Network,
  process: SimProcess,
  task: TaskHandle<JobResult>,
  { n }: PlannedSubmission,
): Promise<void> {
  const endWait = world.waits.begin(process, task.id);
  for (;;) {
    try {
      checkResult(await task.result());
      break;
    } catch (thrown) {
      if (thrown instanceof TaskFailedError) {
        if (!shadowTask().failed)
          throw new Violation('resultIsTheWinners', `${task.id} is reported as ${thrown.state}`);
        break;
      }
      rethrowUnlessTransient(thrown, `the result of ${task.id}`);
    }
    await process.clock.sleep(world.between(500, 3_000));
  }
  endWait();

  function shadowTask() {
    const found = world.shadow.tasks.get(task.id);
    if (found === undefined) throw new Violation('acknowledgedIsStored', `${task.id} was never committed`);
    return found;
  }
  function checkResult(result: JobResult): void {
    const [winner] = shadowTask().winners;
    if (result.n !== n || result.fencingToken !== winner)
      throw new Violation('resultIsTheWinners', `${task.id}: ${JSON.stringify(result)}, won by ${winner}`);
  }
}
