/** Runs a verb for many tasks, whose ids are arguments or lines of standard input. */
import { text as textOf } from 'node:stream/consumers';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Task } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { usage } from '../../exit-codes.ts';
import type { Output } from '../../output.ts';
import { errorJson } from '../../text/error-json.ts';
import { taskJson } from '../../text/task-text.ts';

/** The number of calls that are made at once. */
const atOnce = 16;

/**
 * Returns the ids that the arguments name. `-` stands for those of standard input: the first word of each line, so that
 * the output of `holdfast list` can be piped in.
 *
 * @throws HoldfastError INVALID_ARGUMENT if there is no id, or more than `limits.commandIds`.
 */
export async function readIds(words: readonly string[], input: NodeJS.ReadableStream): Promise<string[]> {
  const ids: string[] = [];
  for (const word of words) {
    if (word !== '-') ids.push(word);
    else ids.push(...idsIn(await textOf(input)));
  }
  const unique = [...new Set(ids)];
  if (unique.length === 0)
    throw usage('Standard input has no task id.', 'Write one id a line, or pipe in `holdfast list`.');
  if (unique.length > limits.commandIds) {
    const most = limits.commandIds.toLocaleString('en');
    throw usage(
      `These are ${unique.length.toLocaleString('en')} ids; one command takes ${most}.`,
      'Split them.',
    );
  }
  return unique;
}

function idsIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((word) => word !== '' && word !== 'ID');
}

interface Done {
  readonly id: string;
  readonly task?: Task;
  readonly error?: HoldfastError;
}

/** The call that a verb makes for each task, and its words. */
export interface ManyTasks {
  /** The word for a task whose call succeeded, such as `cancelled`. */
  readonly participle: string;
  call(id: string): Promise<{ readonly task?: Task | undefined }>;
  line(task: Task): string;
}

/**
 * Calls for each task and prints a line for each, in the order of the ids. One id prints its task alone. A failed call
 * does not stop the others.
 *
 * @throws HoldfastError the error of the first failed call; for several ids it says how many calls failed.
 */
export async function forEachTask(output: Output, ids: readonly string[], verb: ManyTasks): Promise<void> {
  const [only] = ids;
  if (ids.length === 1 && only !== undefined) {
    const { task } = await verb.call(only);
    if (task !== undefined) output.result(taskJson(task), () => verb.line(task));
    return;
  }
  const all = await inTurn(ids, (id) => callFor(id, verb));
  const failed = all.filter(({ error }) => error !== undefined);
  const first = failed[0]?.error;
  const counts = { done: all.length - failed.length, failed: failed.length };
  const json = {
    tasks: all.flatMap(({ task }) => (task === undefined ? [] : [taskJson(task)])),
    errors: failed.map(({ id, error }) => ({ ...(error && errorJson(error)), taskId: id })),
    ...counts,
  };
  const summary = first && failure(first, verb.participle, counts);
  output.result(summary === undefined ? json : { ...json, error: errorJson(summary) }, () =>
    all
      .map(({ id, task, error }) =>
        task ? verb.line(task) : `${id} error: ${error?.message ?? 'no answer'}`,
      )
      .join('\n'),
  );
  if (summary !== undefined) throw output.json ? printed(summary) : summary;
}

/** Marks an error that the output has already: the command ends with its status and prints nothing more. */
const printedErrors = new WeakSet<HoldfastError>();

function printed(error: HoldfastError): HoldfastError {
  printedErrors.add(error);
  return error;
}

export function isPrinted(error: HoldfastError): boolean {
  return printedErrors.has(error);
}

async function callFor(id: string, verb: ManyTasks): Promise<Done> {
  try {
    const { task } = await verb.call(id);
    return { id, ...(task && { task }) };
  } catch (thrown) {
    return { id, error: asHoldfastError(thrown) };
  }
}

function failure(
  first: HoldfastError,
  participle: string,
  { done, failed }: { readonly done: number; readonly failed: number },
): HoldfastError {
  const message = `${failed} of ${done + failed} tasks were not ${participle}. The first error: ${first.message}`;
  return new HoldfastError(first.code, first.reason, message, { help: first.help, taskId: first.taskId });
}

/** Maps the items in their order, at most `atOnce` at once. */
async function inTurn<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await map(items[i] as T);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
