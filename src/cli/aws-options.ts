/** The options by which verbs name a table and its queues on AWS. */
import { Option } from '@commander-js/extra-typings';
import type { AwsStore } from '../opening/aws.ts';
import { usage } from './exit-codes.ts';

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
export const tableOption = () =>
  new Option('--table <name>', 'aws: the DynamoDB table').env('HOLDFAST_AWS_TABLE');
export const queuePrefixOption = () =>
  new Option(
    '--queue-prefix <prefix>',
    'aws: what names of the SQS queues begin with; default: the table',
  ).env('HOLDFAST_AWS_QUEUE_PREFIX');
export const regionOption = () =>
  new Option('--region <region>', 'aws: the region; default: AWS_REGION, else the profile’s').env(
    'HOLDFAST_AWS_REGION',
  );
export const endpointDynamodbOption = () =>
  new Option('--endpoint-dynamodb <url>', 'aws: in place of DynamoDB').env('HOLDFAST_AWS_ENDPOINT_DYNAMODB');
export const endpointSqsOption = () =>
  new Option('--endpoint-sqs <url>', 'aws: in place of SQS').env('HOLDFAST_AWS_ENDPOINT_SQS');

/** The endpoints that the AWS SDK knows from its own variables are named to it, since it treats those of SQS apart. */
function endpoint(asked: string | undefined, service: 'DYNAMODB' | 'SQS'): string | undefined {
  const { AWS_ENDPOINT_URL: common } = process.env;
  return asked || process.env[`AWS_ENDPOINT_URL_${service}`] || common || undefined;
}

/** @throws HoldfastError INVALID_ARGUMENT: no table, or an endpoint that is no URL. */
export function awsStore(flags: AwsFlags): AwsStore {
  const { table, queuePrefix, region } = flags;
  if (!table) {
    throw usage(
      'The engine aws needs --table.',
      'Name the table that `holdfast aws init --table <name> --queue <name>` made, or set HOLDFAST_AWS_TABLE.',
    );
  }
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
