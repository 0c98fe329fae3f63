/** The command-line options by which verbs name a DynamoDB table and its SQS queues. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { name } from '../../core/rules.ts';
import type { AwsStore } from '../../node/open/aws.ts';
import { usage } from '../exit-codes.ts';

/** The values of the options for AWS, as commander parses them. */
export interface AwsFlags {
  readonly table?: string | undefined;
  readonly queuePrefix?: string | undefined;
  readonly region?: string | undefined;
  readonly endpointDynamodb?: string | undefined;
  readonly endpointSqs?: string | undefined;
}

export const engineOption = () =>
  new Option('--engine <engine>', 'sqlite: a store in a file; aws: a table and queues that many nodes share')
    .choices(['sqlite', 'aws'] as const)
    .env('HOLDFAST_ENGINE');

/** The prefix of each help text in a verb that knows several engines. A verb for AWS alone passes ''. */
const awsPrefix = 'aws: ';
export const tableOption = (prefix = awsPrefix) =>
  new Option('--table <name>', `${prefix}the DynamoDB table`).env('HOLDFAST_AWS_TABLE');
export const queuePrefixOption = (prefix = awsPrefix) =>
  new Option(
    '--queue-prefix <prefix>',
    `${prefix}the first part of the names of the SQS queues; default: the table’s name`,
  ).env('HOLDFAST_AWS_QUEUE_PREFIX');
export const regionOption = (prefix = awsPrefix) =>
  new Option(
    '--region <region>',
    `${prefix}the region; default: AWS_REGION, else that of the AWS profile`,
  ).env('HOLDFAST_AWS_REGION');
export const endpointDynamodbOption = (prefix = awsPrefix) =>
  new Option('--endpoint-dynamodb <url>', `${prefix}an endpoint in place of DynamoDB’s own`).env(
    'HOLDFAST_AWS_ENDPOINT_DYNAMODB',
  );
export const endpointSqsOption = (prefix = awsPrefix) =>
  new Option('--endpoint-sqs <url>', `${prefix}an endpoint in place of SQS’s own`).env(
    'HOLDFAST_AWS_ENDPOINT_SQS',
  );

const nameRule = name();

/** Parses the name of a queue or a tenant. */
export function parseName(text: string): string {
  const problem = nameRule(text);
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}.`);
  return text;
}

/**
 * The option `--queue` for several queues: the flag is repeated, or its value has names with commas between them. The
 * verb must `.allowExcessArguments()` and call `refuseExtraWords`, so that `--queue mail webhooks` fails with the
 * correct form.
 */
export const queuesOption = (description: string) =>
  new Option('--queue <name>', `${description}; repeat it, or write a,b`).argParser(parseQueues);

function parseQueues(text: string, before: readonly string[] = []): readonly string[] {
  return [...new Set([...before, ...text.split(',').map((each) => parseName(each.trim()))])];
}

/** @throws HoldfastError INVALID_ARGUMENT if the command line has words that belong to no option. */
export function refuseExtraWords(words: readonly string[], queues: readonly string[] = []): void {
  if (words.length === 0) return;
  const quoted = words.map((word) => `'${word}'`).join(', ');
  const suggestion = [...queues, ...words].map((queue) => `--queue ${queue}`).join(' ');
  const help = words.every((word) => nameRule(word) === undefined)
    ? `Name each queue: ${suggestion}.`
    : 'Quote a value that has spaces, and begin each option with --.';
  throw usage(`No option takes ${quoted}: each --queue takes one word.`, help);
}

/**
 * Returns the endpoint of an AWS service: from the flag, else from the AWS SDK's own environment variables. The SDK
 * would read these variables itself, but it uses an SQS endpoint from a variable differently than an endpoint that is
 * passed to it.
 */
function endpoint(flag: string | undefined, service: 'DYNAMODB' | 'SQS'): string | undefined {
  const { AWS_ENDPOINT_URL: common } = process.env;
  return flag || process.env[`AWS_ENDPOINT_URL_${service}`] || common || undefined;
}

/** The table names that DynamoDB accepts. */
const tableName = /^[A-Za-z0-9._-]{3,255}$/;
/**
 * The prefixes of queue names that SQS accepts: a queue's name has at most 80 characters, and its only dot is in
 * `.fifo`.
 */
const prefixOfQueues = /^[A-Za-z0-9_-]{1,80}$/;

function checkNames(table: string, queuePrefix: string | undefined): void {
  if (!tableName.test(table)) {
    throw usage(`'${table}' is not a name of a table.`, 'Write 3 to 255 letters, digits, dots, _ or -.');
  }
  // `aws init` refuses a longer prefix, or one with `__`. An installation of version 0.1.0 may have such a prefix.
  if (queuePrefix && !prefixOfQueues.test(queuePrefix)) {
    throw usage(
      `Names of SQS queues cannot begin with '${queuePrefix}'.`,
      'Write 1 to 24 letters, digits, - or single _ for --queue-prefix, and no _ at its end.',
    );
  }
}

/**
 * @throws HoldfastError INVALID_ARGUMENT if --table is missing, if AWS does not accept the table name or the queue
 * prefix, or if an endpoint is not a URL.
 */
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
      throw usage(`'${url}' is not a URL.`, 'Write http://host:port.');
  }
  return {
    table,
    queuePrefix: queuePrefix || undefined,
    region: region || undefined,
    endpointDynamodb,
    endpointSqs,
  };
}

/** Returns the table and queues that `--engine aws` names, or undefined if the verb is used without the engine aws. */
export function selectedAwsStore(
  flags: AwsFlags & { readonly engine?: 'sqlite' | 'aws' | undefined },
  isTyped: (flag: string) => boolean,
): AwsStore | undefined {
  if (flags.engine === 'aws') return awsStore(flags);
  const typed = ['table', 'queuePrefix', 'region', 'endpointDynamodb', 'endpointSqs'].find(isTyped);
  if (typed === undefined) return undefined;
  const flag = typed.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usage(`--${flag} is for the engine aws.`, 'Add --engine aws.');
}
