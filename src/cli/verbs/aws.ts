import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import { priorities as levels, type Priority } from '../../core/priority.ts';
import { defaultShards, mostShards } from '../../engines/aws/table/schema/definition.ts';
import type { InitResult, TableResult } from '../aws/init.ts';
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
} from '../aws/options.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { wholeNumber } from '../text/numbers.ts';

export function addAws(program: Command, globals: Globals): void {
  program
    .command('aws')
    .description('prepare a table and queues on AWS')
    .command('init')
    .description('create the table and the queues, or correct them; nothing is ever deleted')
    .addOption(tableOption(''))
    .addOption(queuesOption('a queue to create; default: the registered queues'))
    .option('--tenant <name>', 'the tenant of the queues', parseName, 'default')
    .option(
      '--priorities <levels>',
      'priorities of these queues, such as high,normal; default: those they have, else normal',
      parsePriorities,
    )
    .option(
      '--list-shards <n>',
      `shards of the list index, ${defaultShards.list} to ${mostShards.list}, can only grow; default: no change`,
      wholeNumber(defaultShards.list, mostShards.list),
    )
    .option(
      '--due-shards <n>',
      `shards of the due index, ${defaultShards.due} to ${mostShards.due}, can only grow; default: no change`,
      wholeNumber(defaultShards.due, mostShards.due),
    )
    .option('--check', 'compare and change nothing; exit status 4 if something is missing or differs')
    .addOption(queuePrefixOption(''))
    .addOption(regionOption(''))
    .addOption(endpointDynamodbOption(''))
    .addOption(endpointSqsOption(''))
    .allowExcessArguments()
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast aws init --table jobs --queue mail --queue webhooks\n  holdfast aws init --table jobs --queue mail --priorities high,normal --check',
    )
    .action(async (options, command) => {
      const { queue: queues = [], tenant, priorities, check = false } = options;
      const shards = { list: options.listShards, due: options.dueShards };
      refuseExtraLevels(command.args, priorities);
      refuseExtraWords(command.args, queues);
      if (priorities !== undefined && queues.length === 0) {
        throw usage('--priorities needs the names of its queues.', 'Add --queue <name>.');
      }
      const store = awsStore(options);
      const { initAws } = await import('../aws/init.ts');
      const result = await initAws({ store, tenant, queues, priorities, shards, check });
      if (hasFault(result)) throw faultError(result, check);
      const { output } = globals();
      output.result(result, () => textOf(result));
      if (result.table.did === 'created' && queues.length === 0) {
        output.note('No queue was created, since none was named. Tasks need a queue: --queue <name>.');
      }
    });
}

function hasFault({ table, queues }: InitResult): boolean {
  return [table, ...queues].some(({ did }) => did === 'differs' || did === 'missing');
}

/**
 * Returns the error for faults of the table or its queues that were not corrected, so that a script does not take the
 * result for a success.
 */
function faultError(result: InitResult, check: boolean): HoldfastError {
  const { table, queues } = result;
  const faults = table.did === 'missing' ? ['it is missing'] : table.differs;
  const violations = [
    ...faults.map((description) => ({ field: `table ${table.name}`, description })),
    ...queues.flatMap(({ queue, differs }) =>
      differs.map((description) => ({ field: `queue ${queue}`, description })),
    ),
  ];
  const isOurs = table.did === 'missing' || table.shards !== undefined;
  const help =
    check && isOurs
      ? 'Run it without --check to create what is missing and to correct what differs.'
      : 'This command cannot change the keys and indexes of a table. Name another table, or add what is missing by hand.';
  return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', textOf(result), { help, violations });
}

function parsePriorities(text: string): Priority[] {
  const words = text.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !levels.includes(word as Priority));
  if (unknown !== undefined) throw new InvalidArgumentError(`Write one or more of ${levels.join(',')}.`);
  return levels.filter((level) => words.includes(level));
}

/** Refuses `--priorities high normal`, where the extra words are priorities and not queues. */
function refuseExtraLevels(words: readonly string[], priorities: readonly Priority[] | undefined): void {
  if (priorities === undefined || words.length === 0) return;
  if (!words.every((word) => levels.includes(word as Priority))) return;
  const suggestion = levels.filter((level) => priorities.includes(level) || words.includes(level));
  throw usage(
    `No option takes '${words.join("', '")}': --priorities takes one word.`,
    `Write --priorities ${suggestion.join(',')}.`,
  );
}

function textOf({ table, queues }: InitResult): string {
  const lines = [`table ${table.name}${shardsIn(table)}: ${table.did}`, ...table.differs.map(indented)];
  for (const { tenant, queue, priorities, did, sqs, differs } of queues) {
    const whose = tenant === 'default' ? '' : ` of ${tenant}`;
    lines.push(`queue ${queue}${whose} (${priorities.join(', ')}): ${did}`);
    // Every part of a new queue was missing, so its SQS queues are listed in place of the differences.
    if (did === 'created') lines.push(...sqs.map(indented));
    else lines.push(...differs.map(indented));
  }
  return lines.join('\n');
}

function shardsIn({ shards }: TableResult): string {
  if (shards === undefined) return '';
  const { written } = shards;
  const isNew = written.list < shards.list || written.due < shards.due;
  const until = `; writers keep to list ${written.list}, due ${written.due} until every process knows`;
  return ` (shards: list ${shards.list}, due ${shards.due}${isNew ? until : ''})`;
}

function indented(text: string): string {
  return `  ${text}`;
}
