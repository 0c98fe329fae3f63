import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import { priorities as levels, type Priority } from '../../core/submission.ts';
import type { InitResult } from '../aws-init.ts';
import {
  awsStore,
  endpointDynamodbOption,
  endpointSqsOption,
  queuePrefixOption,
  regionOption,
  tableOption,
} from '../aws-options.ts';
import type { Globals } from '../globals.ts';

const name = /^[A-Za-z0-9._-]{1,64}$/;

export function addAws(program: Command, globals: Globals): void {
  program
    .command('aws')
    .description('prepare a table and queues on AWS')
    .command('init')
    .description('make the table and the queues, or say what differs; nothing is ever deleted')
    .addOption(tableOption())
    .option('--queue <name...>', 'queues to make', namesOf)
    .option('--tenant <name>', 'whose queues', one, 'default')
    .option('--priorities <levels>', 'which they have, such as high,normal; default: normal', prioritiesOf)
    .option('--check', 'change nothing')
    .addOption(queuePrefixOption())
    .addOption(regionOption())
    .addOption(endpointDynamodbOption())
    .addOption(endpointSqsOption())
    .action(async (options) => {
      const { queue: queues = [], tenant, priorities, check = false } = options;
      const { initAws } = await import('../aws-init.ts');
      const store = awsStore(options);
      const result = await initAws({ store, tenant, queues, priorities, check });
      if (isWrong(result)) throw wrong(result, check);
      globals().output.result(result, () => textOf(result));
    });
}

function isWrong({ table, queues }: InitResult): boolean {
  return [table, ...queues].some(({ did }) => did === 'differs' || did === 'missing');
}

/** What cannot be corrected, or was not to be, must not look like success to a script. */
function wrong(result: InitResult, check: boolean): HoldfastError {
  const { table, queues } = result;
  const violations = [
    ...table.differs.map((description) => ({ field: `table ${table.name}`, description })),
    ...queues.flatMap(({ queue, differs }) =>
      differs.map((description) => ({ field: `queue ${queue}`, description })),
    ),
  ];
  const help = check
    ? 'Run it without --check: it makes what is missing and corrects what may be.'
    : 'Keys and indexes of a table cannot be changed: name another table, or give this one what it lacks by hand.';
  return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', textOf(result), { help, violations });
}

function one(text: string): string {
  if (!name.test(text)) throw new InvalidArgumentError('Write 1 to 64 of letters, digits, . _ and -.');
  return text;
}

function namesOf(text: string, before: readonly string[] = []): string[] {
  return [...new Set([...before, one(text)])];
}

function prioritiesOf(text: string): Priority[] {
  const asked = text.split(',').map((word) => word.trim());
  const wrong = asked.find((word) => !levels.includes(word as Priority));
  if (wrong !== undefined) throw new InvalidArgumentError(`Write some of ${levels.join(',')}.`);
  return levels.filter((level) => asked.includes(level));
}

function textOf({ table, queues }: InitResult): string {
  const lines = [`table ${table.name}: ${table.did}`, ...table.differs.map(indented)];
  for (const { tenant, queue, priorities, did, sqs, differs } of queues) {
    const whose = tenant === 'default' ? '' : ` of ${tenant}`;
    lines.push(`queue ${queue}${whose} (${priorities.join(', ')}): ${did}`);
    // Of what is new everything differs.
    if (did === 'created') lines.push(...sqs.map(indented));
    else lines.push(...differs.map(indented));
  }
  return lines.join('\n');
}

function indented(text: string): string {
  return `  ${text}`;
}
