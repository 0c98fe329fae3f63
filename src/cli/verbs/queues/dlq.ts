import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../../core/errors.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../../../service/service.ts';
import {
  awsStore,
  endpointDynamodbOption,
  endpointSqsOption,
  parseName,
  queuePrefixOption,
  queuesOption,
  refuseExtraWords,
  regionOption,
  tableOption,
} from '../../aws/options.ts';
import type { Globals } from '../../globals.ts';
import { table } from '../../output.ts';
import { wholeNumber } from '../../text/numbers.ts';

const defaultLimit = 10_000;
/** The largest `--limit` of `dlq drain`, in messages, since SQS holds at most 120,000 messages of a queue in flight. */
const mostExamined = 100_000;

export function addDlq(program: Command, globals: Globals): void {
  program
    .command('dlq')
    .description('clean up the dead-letter queues on AWS')
    .command('drain')
    .description('drop notices of tasks that are no longer dead, and resend dispatch messages found there')
    .addOption(tableOption(''))
    .addOption(queuesOption('a queue to examine; default: all'))
    .option('--tenant <name>', 'the tenant of the queues', parseName, 'default')
    .option('--dry-run', 'change nothing, only count what would be done')
    .option('--drop-unreadable', 'also drop messages that Holdfast did not write')
    .option('--limit <n>', 'messages of each queue to examine', wholeNumber(1, mostExamined), defaultLimit)
    .addOption(queuePrefixOption(''))
    .addOption(regionOption(''))
    .addOption(endpointDynamodbOption(''))
    .addOption(endpointSqsOption(''))
    .allowExcessArguments()
    .action(async (options, command) => {
      const { queue: queues = [], tenant, dryRun = false, dropUnreadable = false, limit } = options;
      refuseExtraWords(command.args, queues);
      const store = awsStore(options);
      const request = { tenant, queues, dryRun, dropUnreadable, limit };
      const drained = await interruptible(async (signal) => {
        const { openWorkerNode } = await import('../../../node/node.ts');
        const { systemClock } = await import('../../../platform/clock.ts');
        const { defaultLog } = await import('../../../platform/log.ts');
        // The node is opened without queue names: `drainDeadLetters` itself reports a queue that is missing.
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

/**
 * Runs `dlq drain`. The first Ctrl-C lets the drain return the messages that it holds to their queue; a second Ctrl-C
 * ends the process at once.
 */
async function interruptible(
  drain: (signal: AbortSignal) => Promise<readonly DrainedDeadLetters[]>,
): Promise<readonly DrainedDeadLetters[]> {
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    const drained = await drain(interrupted.signal);
    if (!interrupted.signal.aborted) return drained;
    const message = `Interrupted; done until then:\n${textOf(drained)}`;
    throw new HoldfastError('CANCELLED', 'ABANDONED', message, {
      help: 'All other messages are still in their queue. Run it again to go on.',
    });
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

const counts = ['examined', 'kept', 'dropped', 'resent', 'unreadable'] as const;

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
    const left = dropUnreadable && !dryRun ? 'dropped' : 'kept in the queue (--drop-unreadable drops them)';
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
