/** The options by which verbs name a table and its queues on AWS. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { AwsStore } from '../../node/open/aws.ts';
import { usage } from '../exit-codes.ts';

/** As commander reads them. */
export interface AwsFlags {
  readonly table?: string | undefined;
  readonly queuePrefix?: string | undefined;
  readonly region?: string | undefined;
  readonly endpointDynamodb?: string | undefined;
  readonly endpointSqs?: string | undefined;
}

export const engineOption = () =>
  new Option('--engine <engine>', 'sqlite: a store in a file; aws: a table and queues that many share')
    .choices(['sqlite', 'aws'] as const)
    .env('HOLDFAST_ENGINE');

/** Said first of each option where a verb knows other engines too; a verb about AWS alone gives ''. */
const amongEngines = 'aws: ';
export const tableOption = (lead = amongEngines) =>
  new Option('--table <name>', `${lead}the DynamoDB table`).env('HOLDFAST_AWS_TABLE');
export const queuePrefixOption = (lead = amongEngines) =>
  new Option(
    '--queue-prefix <prefix>',
    `${lead}what names of the SQS queues begin with; default: the table`,
  ).env('HOLDFAST_AWS_QUEUE_PREFIX');
export const regionOption = (lead = amongEngines) =>
  new Option('--region <region>', `${lead}the region; default: AWS_REGION, else the profile’s`).env(
    'HOLDFAST_AWS_REGION',
  );
export const endpointDynamodbOption = (lead = amongEngines) =>
  new Option('--endpoint-dynamodb <url>', `${lead}in place of DynamoDB`).env(
    'HOLDFAST_AWS_ENDPOINT_DYNAMODB',
  );
export const endpointSqsOption = (lead = amongEngines) =>
  new Option('--endpoint-sqs <url>', `${lead}in place of SQS`).env('HOLDFAST_AWS_ENDPOINT_SQS');

const name = /^[A-Za-z0-9._-]{1,64}$/;

/** Reads the name of a queue or a tenant. */
export function nameOf(text: string): string {
  if (!name.test(text)) throw new InvalidArgumentError('Write 1 to 64 of letters, digits, . _ and -.');
  return text;
}

/**
 * Queues, each once: the flag again for each, or names with commas, which no name has. The verb must
 * `.allowExcessArguments()` and call `refuseWords`: `--queue mail webhooks` is told how it is written.
 */
export const queuesOption = (what: string) =>
  new Option('--queue <name>', `${what}; again for each, or a,b`).argParser(queuesOf);

function queuesOf(text: string, before: readonly string[] = []): readonly string[] {
  return [...new Set([...before, ...text.split(',').map((each) => nameOf(each.trim()))])];
}

/** @throws HoldfastError INVALID_ARGUMENT: words that belong to no option, of a verb that takes none. */
export function refuseWords(words: readonly string[], queues: readonly string[] = []): void {
  if (words.length === 0) return;
  const told = words.map((word) => `'${word}'`).join(', ');
  const meant = [...queues, ...words].map((queue) => `--queue ${queue}`).join(' ');
  const help = words.every((word) => name.test(word))
    ? `Name each queue: ${meant}.`
    : 'Quote a value that has spaces, and begin each option with --.';
  throw usage(`Nothing takes ${told}: each --queue takes one word.`, help);
}

/** The endpoints that the AWS SDK knows from its own variables are named to it, since it treats those of SQS apart. */
function endpoint(asked: string | undefined, service: 'DYNAMODB' | 'SQS'): string | undefined {
  const { AWS_ENDPOINT_URL: common } = process.env;
  return asked || process.env[`AWS_ENDPOINT_URL_${service}`] || common || undefined;
}

/** As DynamoDB takes them. */
const tableName = /^[A-Za-z0-9._-]{3,255}$/;
/** SQS takes no names longer than 80, and no dots but that of `.fifo`. */
const prefixOfQueues = /^[A-Za-z0-9_-]{1,80}$/;

function checkNames(table: string, queuePrefix: string | undefined): void {
  if (!tableName.test(table)) {
    throw usage(`'${table}' is no name of a table.`, 'Write 3 to 255 of letters, digits, . _ and -.');
  }
  // The table's name is made into one where none is given.
  if (queuePrefix && !prefixOfQueues.test(queuePrefix)) {
    throw usage(
      `Names of SQS queues cannot begin with '${queuePrefix}'.`,
      'Write 1 to 80 of letters, digits, _ and - for --queue-prefix; the first 16 of them are seen.',
    );
  }
}

/** @throws HoldfastError INVALID_ARGUMENT: no table, a name that AWS does not take, or an endpoint that is no URL. */
export function awsStore(flags: AwsFlags): AwsStore {
  const { table, queuePrefix, region } = flags;
  if (!table) {
    throw usage(
      'The engine aws needs --table.',
      'Name the table that `holdfast aws init --table <name> --queue <name>` made, or set HOLDFAST_AWS_TABLE.',
    );
  }
  checkNames(table, queuePrefix);
  const endpointDynamodb = endpoint(flags.endpointDynamodb, 'DYNAMODB');
  const endpointSqs = endpoint(flags.endpointSqs, 'SQS');
  for (const url of [endpointDynamodb, endpointSqs]) {
    if (url !== undefined && !URL.canParse(url))
      throw usage(`'${url}' is no URL.`, 'Write http://host:port.');
  }
  return {
    table,
    queuePrefix: queuePrefix || undefined,
    region: region || undefined,
    endpointDynamodb,
    endpointSqs,
  };
}

/** For verbs that know two engines: the table and queues, or undefined for what this verb does otherwise. */
export function chosenAws(
  flags: AwsFlags & { readonly engine?: 'sqlite' | 'aws' | undefined },
  isTyped: (flag: string) => boolean,
): AwsStore | undefined {
  if (flags.engine === 'aws') return awsStore(flags);
  const typed = ['table', 'queuePrefix', 'region', 'endpointDynamodb', 'endpointSqs'].find(isTyped);
  if (typed === undefined) return undefined;
  const flag = typed.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usage(`--${flag} is for the engine aws.`, 'Add --engine aws.');
}
