import type { Command } from '@commander-js/extra-typings';
import { mostRedriven, type Redriven, redriveAll } from '../../../client/admin/redrive.ts';
import type { Transport } from '../../../client/transport.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { ensureQueueExists, withServer } from '../../connection/connect.ts';
import { usage } from '../../exit-codes.ts';
import type { Globals } from '../../globals.ts';
import type { Output } from '../../output.ts';
import { timeBack } from '../../text/durations.ts';
import { wholeNumber } from '../../text/numbers.ts';
import { stateName } from '../../text/task-text.ts';
import { forEachTask, readIds } from './many.ts';

interface RedriveFlags {
  readonly tenant: string;
  readonly queue?: string | undefined;
  readonly type?: string | undefined;
  readonly tag?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly dryRun?: boolean | undefined;
  readonly limit?: number | undefined;
}

/** Refuses a command line that names tasks in two ways, or in none. */
function refuseUnclear(ids: readonly string[], flags: RedriveFlags): void {
  const { tenant: _, ...filters } = flags;
  if (ids.length > 0 && Object.values(filters).some((value) => value !== undefined))
    throw usage(
      'Ids and --queue, --type, --tag, --since, --until, --dry-run or --limit are given together.',
      'Name the tasks by their ids, or by a queue and filters.',
    );
  if (ids.length === 0 && flags.queue === undefined)
    throw usage(
      'No dead task is named.',
      'Give ids (- reads them from standard input), or a queue: holdfast redrive --queue <name> --dry-run counts its dead tasks.',
    );
}

function redrivenText({ matched, redriven, refused }: Redriven, dryRun: boolean): string {
  const tasks = `${matched.toLocaleString('en')} dead ${matched === 1 ? 'task' : 'tasks'}`;
  if (dryRun) return `${tasks} would run again`;
  const kept = refused === 0 ? '' : `, ${refused.toLocaleString('en')} could not (they expire soon)`;
  return `${tasks} matched, ${redriven.toLocaleString('en')} run again${kept}`;
}

async function redriveMatching(transport: Transport, output: Output, flags: RedriveFlags): Promise<void> {
  const { tenant, queue = '', type = '', tag = '', since, until, dryRun = false } = flags;
  const request = {
    ...{ tenant, queue, type, tag, dryRun, pageToken: '' },
    acceptedFromMs: BigInt(since?.getTime() ?? 0),
    acceptedUntilMs: BigInt(until?.getTime() ?? 0),
  };
  const done = await redriveAll(
    request,
    flags.limit ?? mostRedriven,
    (page) => transport.call(TaskService.method.redriveTasks, page, {}),
    (sums) => {
      if (sums.nextPageToken !== undefined) output.note(`${redrivenText(sums, dryRun)} …`);
    },
  );
  if (done.examined === 0) await ensureQueueExists(transport, tenant, queue);
  output.result({ ...done, dryRun }, () => redrivenText(done, dryRun));
  if (dryRun && done.matched > 0) output.note('Nothing was changed (--dry-run).');
}

export function addRedrive(program: Command, globals: Globals): void {
  program
    .command('redrive')
    .argument(
      '[ids...]',
      'the ids of dead tasks; - reads them from standard input, the first word of each line',
    )
    .description(
      'run dead tasks again, with all their attempts: some by their ids, or all that match of a queue',
    )
    .option('--queue <name>', 'dead tasks of this queue instead of ids')
    .option('--type <type>', 'only tasks of this type')
    .option('--tag <tag>', 'only tasks with this tag')
    .option(
      '--since <time>',
      'only tasks accepted since: a time with its zone, or a length such as 2h',
      timeBack,
    )
    .option(
      '--until <time>',
      'only tasks accepted before it: a time with its zone, or a length such as 2h',
      timeBack,
    )
    .option('--dry-run', 'change nothing, only count the tasks')
    .option('--limit <n>', 'the most tasks; default: all that match', wholeNumber(1, mostRedriven))
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (words, flags) => {
      const { server, output } = globals();
      refuseUnclear(words, flags);
      const ids = words.length === 0 ? [] : await readIds(words, process.stdin);
      await withServer(server, (transport) =>
        ids.length === 0
          ? redriveMatching(transport, output, flags)
          : forEachTask(output, ids, {
              participle: 'redriven',
              call: (id) => transport.call(TaskService.method.redriveTask, { id, tenant: flags.tenant }, {}),
              line: ({ id, state }) => `${id} ${stateName(state)}`,
            }),
      );
    });
}
