import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../../core/errors.ts';
import type { Redispatched } from '../../../service/service.ts';
import {
  awsStore,
  endpointDynamodbOption,
  endpointSqsOption,
  parseName,
  queuePrefixOption,
  regionOption,
  tableOption,
} from '../../aws/options.ts';
import type { Globals } from '../../globals.ts';
import { table } from '../../output.ts';

/** After how many examined tasks a line says how far the work has come. */
const progressEvery = 1_000;

/** Adds `queues redispatch`, which works on the table and SQS itself, as `dlq drain` does. */
export function addRedispatch(queues: Command, globals: Globals): void {
  queues
    .command('redispatch')
    .argument('<name>', 'the queue', parseName)
    .description(
      'on AWS: send the dispatch messages of a queue again, after its SQS queue was purged or made anew',
    )
    .option('--dry-run', 'send nothing, only count')
    .option('--tenant <name>', 'the tenant of the queue', parseName, 'default')
    .addOption(tableOption(''))
    .addOption(queuePrefixOption(''))
    .addOption(regionOption(''))
    .addOption(endpointDynamodbOption(''))
    .addOption(endpointSqsOption(''))
    .action(async (name, options) => {
      const { tenant, dryRun = false } = options;
      const store = awsStore(options);
      const { output } = globals();
      const interrupted = new AbortController();
      const stop = (): void => interrupted.abort();
      process.once('SIGINT', stop);
      let notedAt = 0;
      try {
        const { openWorkerNode } = await import('../../../node/node.ts');
        const { systemClock } = await import('../../../platform/clock.ts');
        const { defaultLog } = await import('../../../platform/log.ts');
        const { node } = await openWorkerNode(store, { clock: systemClock(), log: defaultLog(), queues: [] });
        try {
          const done = await node.service.redispatch({
            queue: { tenant, queue: name },
            dryRun,
            signal: interrupted.signal,
            onProgress({ examined, needed, sent }) {
              if (examined - notedAt < progressEvery) return;
              notedAt = examined;
              output.note(`examined ${examined}, needed ${needed}, sent ${sent} …`);
            },
          });
          refuseFailures(done);
          output.result({ ...done, dryRun }, () => textOf(done));
          if (dryRun) output.note('nothing was sent (--dry-run)');
        } finally {
          await node.close(0);
        }
      } finally {
        process.off('SIGINT', stop);
      }
    });
}

const again = 'It does no harm to run it again: a second message of a task changes nothing.';

function refuseFailures(done: Redispatched): void {
  const { failed, error, isComplete } = done;
  if (error !== undefined) {
    const message = `${failed} messages could not be sent: ${error.message}\n${textOf(done)}`;
    throw new HoldfastError(error.code, error.reason, message, {
      help: `${error.help ?? ''} ${again}`.trim(),
    });
  }
  if (!isComplete)
    throw new HoldfastError('CANCELLED', 'ABANDONED', `Interrupted; done until then:\n${textOf(done)}`, {
      help: again,
    });
}

function textOf({ queue, examined, needed, messages, sent }: Redispatched): string {
  return table(
    ['QUEUE', 'EXAMINED', 'NEEDED', 'IN SQS BEFORE', 'SENT'],
    [
      [
        queue,
        String(examined),
        String(needed),
        messages === undefined ? 'unknown' : `about ${messages}`,
        String(sent),
      ],
    ],
  );
}
