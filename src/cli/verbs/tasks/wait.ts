import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../../core/errors.ts';
import { type Task, TaskState } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import type { Output } from '../../output.ts';
import { parseDuration } from '../../text/durations.ts';
import { errorJson } from '../../text/error-json.ts';
import { stateName, taskJson } from '../../text/task-text.ts';
import { readIds } from './many.ts';
import { type EndedTask, endError, waitForEnds } from './wait-for-end.ts';

function endLine({ id, task, error }: EndedTask): string {
  if (task === undefined) return `${id} error: ${error?.message ?? 'no answer'}`;
  const why = task.lastError === '' || task.state === TaskState.SUCCEEDED ? '' : `: ${task.lastError}`;
  return `${id} ${stateName(task.state)}${why}`;
}

/** Returns the error of the first task that did not succeed, or undefined if all did. */
function failureOf(all: readonly EndedTask[], tenant: string): HoldfastError | undefined {
  const failed = all.filter(({ task }) => task?.state !== TaskState.SUCCEEDED);
  const [first] = failed;
  if (first === undefined) return undefined;
  const own = first.error ?? endError(first.task as Task, tenant);
  if (all.length === 1) return own;
  const message = `${failed.length} of ${all.length} tasks did not succeed. The first, ${first.id}: ${own.message}`;
  return new HoldfastError(own.code, own.reason, message, { taskId: first.id, help: own.help });
}

function tooLate(left: number, timeoutMs: number, firstId: string): HoldfastError {
  const tasks = left === 1 ? '1 task has' : `${left} tasks have`;
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `${tasks} not ended within ${timeoutMs} ms.`, {
    taskId: firstId,
    help: `They go on. To see why one is not complete: holdfast why ${firstId}`,
  });
}

function printAll(output: Output, all: readonly EndedTask[]): void {
  output.result(
    {
      tasks: all.flatMap(({ task }) => (task === undefined ? [] : [taskJson(task)])),
      errors: all.flatMap(({ id, error }) =>
        error === undefined ? [] : [{ ...errorJson(error), taskId: id }],
      ),
    },
    () => all.map(endLine).join('\n'),
  );
}

export function addWait(program: Command, globals: Globals): void {
  program
    .command('wait')
    .argument('<ids...>', 'the ids of tasks; - reads them from standard input, the first word of each line')
    .description('wait until tasks have ended; exit status 1 if one of them died or was cancelled')
    .option('--timeout <length>', 'give up after this time, such as 30s; default: none', parseDuration)
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (words, { timeout, tenant }) => {
      const { server, output } = globals();
      const ids = await readIds(words, process.stdin);
      await withServer(server, async (transport, interruption) => {
        interruption.help = 'The tasks go on.';
        const all: EndedTask[] = [];
        const left = new Set(ids);
        const over = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
        const signal =
          over === undefined ? interruption.signal : AbortSignal.any([interruption.signal, over]);
        const waiting = waitForEnds(transport, { ids, tenant, signal }, (ended) => {
          left.delete(ended.id);
          all.push(ended);
          if (!output.json) output.line(undefined, () => endLine(ended));
        });
        await waiting.catch((thrown: unknown) => {
          if (over?.aborted !== true) throw thrown;
        });
        const [first] = left;
        if (first !== undefined && timeout !== undefined) throw tooLate(left.size, timeout, first);
        const failure = failureOf(all, tenant);
        if (failure !== undefined) throw failure;
        if (output.json) printAll(output, all);
      });
    });
}
