import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import { priorities as levels, type Priority } from '../../core/submission/submission.ts';
import { defaultShards, mostShards } from '../../engines/aws/table/schema/definition.ts';
import type { InitResult, TableResult } from '../aws/init.ts';
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
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { whole } from '../text/numbers.ts';

export function addAws(program: Command, globals: Globals): void {
  program
    .command('aws')
    .description('prepare a table and queues on AWS')
    .command('init')
    .description('make the table and the queues, correct what may be; nothing is ever deleted')
    .addOption(tableOption(''))
    .addOption(queuesOption('a queue to make; none: those that there are'))
    .option('--tenant <name>', 'whose queues', nameOf, 'default')
    .option(
      '--priorities <levels>',
      'levels of these queues, such as high,normal; default: those they have, else normal',
      prioritiesOf,
    )
    .option(
      '--list-shards <n>',
      `shards of the list index, ${defaultShards.list} to ${mostShards.list}, only more; default: those it has`,
      whole(defaultShards.list, mostShards.list),
    )
    .option(
      '--due-shards <n>',
      `shards of the due index, ${defaultShards.due} to ${mostShards.due}, only more; default: those it has`,
      whole(defaultShards.due, mostShards.due),
    )
    .option('--check', 'change nothing; status 4 where something is missing or differs')
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
      refuseLevels(command.args, priorities);
      refuseWords(command.args, queues);
      if (priorities !== undefined && queues.length === 0) {
        throw usage('--priorities are those of queues that are named.', 'Add --queue <name>.');
      }
      const store = awsStore(options);
      const { initAws } = await import('../aws/init.ts');
      const result = await initAws({ store, tenant, queues, priorities, shards, check });
      if (isWrong(result)) throw wrong(result, check);
      const { output } = globals();
      output.result(result, () => textOf(result));
      if (result.table.did === 'created' && queues.length === 0) {
        output.note('No queue was named, so none was made. Tasks need one: --queue <name>.');
      }
    });
}

function isWrong({ table, queues }: InitResult): boolean {
  return [table, ...queues].some(({ did }) => did === 'differs' || did === 'missing');
}

/** What cannot be corrected, or was not to be, must not look like success to a script. */
function wrong(result: InitResult, check: boolean): HoldfastError {
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
      ? 'Run it without --check: it makes what is missing and corrects what may be.'
      : 'Keys and indexes of a table cannot be changed: name another table, or give this one what it lacks by hand.';
  return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', textOf(result), { help, violations });
}

function prioritiesOf(text: string): Priority[] {
  const asked = text.split(',').map((word) => word.trim());
  const wrong = asked.find((word) => !levels.includes(word as Priority));
  if (wrong !== undefined) throw new InvalidArgumentError(`Write some of ${levels.join(',')}.`);
  return levels.filter((level) => asked.includes(level));
}

/** `--priorities high normal`: levels, not queues, were meant. */
function refuseLevels(words: readonly string[], priorities: readonly Priority[] | undefined): void {
  if (priorities === undefined || words.length === 0) return;
  if (!words.every((word) => levels.includes(word as Priority))) return;
  const meant = levels.filter((level) => priorities.includes(level) || words.includes(level));
  throw usage(
    `Nothing takes '${words.join("', '")}': --priorities takes one word.`,
    `Write --priorities ${meant.join(',')}.`,
  );
}

function textOf({ table, queues }: InitResult): string {
  const lines = [`table ${table.name}${shardsIn(table)}: ${table.did}`, ...table.differs.map(indented)];
  for (const { tenant, queue, priorities, did, sqs, differs } of queues) {
    const whose = tenant === 'default' ? '' : ` of ${tenant}`;
    lines.push(`queue ${queue}${whose} (${priorities.join(', ')}): ${did}`);
    // Of what is new everything differs.
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
