import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../../service/service.ts';
import {
  awsStore,
  endpointDynamodbOption,
  endpointSqsOption,
  nameOf,
  queuePrefixOption,
  queuesOption,
  refuseWords,
  regionOption,
  tableOption,
} from '../aws/options.ts';
import type { Globals } from '../globals.ts';
import { table } from '../output.ts';
import { whole } from '../text/numbers.ts';

const defaultLimit = 10_000;
/** SQS hides 120,000 messages of one queue at most. */
const mostExamined = 100_000;

export function addDlq(program: Command, globals: Globals): void {
  program
    .command('dlq')
    .description('look after the dead-letter queues on AWS')
    .command('drain')
    .description('drop notices of tasks that are not dead any more, and ring bells that lie there')
    .addOption(tableOption(''))
    .addOption(queuesOption('a queue to look at; default: all'))
    .option('--tenant <name>', 'whose queues', nameOf, 'default')
    .option('--dry-run', 'change nothing; say what would be done')
    .option('--drop-unreadable', 'drop what Holdfast did not write, too')
    .option('--limit <n>', 'messages of a queue to look at', whole(1, mostExamined), defaultLimit)
    .addOption(queuePrefixOption(''))
    .addOption(regionOption(''))
    .addOption(endpointDynamodbOption(''))
    .addOption(endpointSqsOption(''))
    .allowExcessArguments()
    .action(async (options, command) => {
      const { queue: queues = [], tenant, dryRun = false, dropUnreadable = false, limit } = options;
      refuseWords(command.args, queues);
      const store = awsStore(options);
      const request = { tenant, queues, dryRun, dropUnreadable, limit };
      const drained = await untilDone(async (signal) => {
        const { openWorkerNode } = await import('../../node/node.ts');
        const { systemClock } = await import('../../platform/clock.ts');
        const { defaultLog } = await import('../../platform/log.ts');
        // What a queue lacks is told by its drain.
        const choice = { clock: systemClock(), log: defaultLog(), queues: [] };
        const { node } = await openWorkerNode(store, choice);
        try {
          return await node.service.drainDeadLetters({ ...request, signal });
        } finally {
          await node.close(0);
        }
      });
      const { output } = globals();
      output.result({ queues: drained, dryRun }, () => textOf(drained));
      for (const note of notesOf(drained, request)) output.note(note);
    });
}

/** The first Ctrl-C ends it in order, a second one at once. */
async function untilDone(
  drain: (signal: AbortSignal) => Promise<readonly DrainedDeadLetters[]>,
): Promise<readonly DrainedDeadLetters[]> {
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    const drained = await drain(interrupted.signal);
    if (!interrupted.signal.aborted) return drained;
    const said = `Interrupted; what was done until then:\n${textOf(drained)}`;
    throw new HoldfastError('CANCELLED', 'ABANDONED', said, {
      help: 'What was not dropped is where it was. Run it again to go on.',
    });
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

const counts = ['examined', 'kept', 'dropped', 'sent', 'unreadable'] as const;

function textOf(drained: readonly DrainedDeadLetters[]): string {
  const head = ['QUEUE', ...counts.map((name) => name.toUpperCase())];
  return table(
    head,
    drained.map((one) => [one.queue, ...counts.map((name) => String(one[name]))]),
  );
}

function notesOf(
  drained: readonly DrainedDeadLetters[],
  { dryRun, dropUnreadable, limit }: Omit<DrainDeadLettersRequest, 'signal'>,
): string[] {
  const notes: string[] = [];
  for (const { queue, unreadable, unreadableIds, isComplete } of drained) {
    const left = dropUnreadable && !dryRun ? 'dropped' : 'left where they are (--drop-unreadable drops them)';
    const more = unreadable > unreadableIds.length ? ', …' : '';
    if (unreadable > 0) {
      notes.push(
        `queue ${queue}: messages that Holdfast did not write, ${left}: ${unreadableIds.join(', ')}${more}`,
      );
    }
    if (!isComplete) notes.push(`queue ${queue}: there may be more than these (--limit ${limit})`);
  }
  if (dryRun) notes.push('nothing was changed (--dry-run)');
  return notes;
}
