import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { redrivePolicy, type SqsQueueDefinition } from './definition.ts';
import { asBrokerError, isMissingQueue } from './errors.ts';

/** What differs between an SQS queue and its definition; nothing where it is as it should be. */
export interface SqsQueueDifference {
  readonly name: string;
  readonly attribute: string;
  readonly expected: string;
  /** Undefined: the queue or the attribute is not there. */
  readonly found: string | undefined;
}

async function attributesOf(client: SQSClient, name: string): Promise<Record<string, string> | undefined> {
  try {
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    return Attributes ?? {};
  } catch (thrown) {
    if (isMissingQueue(thrown)) return undefined;
    throw asBrokerError(thrown);
  }
}

/** Of objects in JSON neither the order of the fields matters, nor whether a number is text. */
function same(expected: string, found: string): boolean {
  if (expected === found) return true;
  if (!expected.startsWith('{') || !found.startsWith('{')) return false;
  const [a, b] = [JSON.parse(expected), JSON.parse(found)] as Record<string, unknown>[];
  return Object.keys({ ...a, ...b }).every((name) => String(a?.[name]) === String(b?.[name]));
}

function differences(
  name: string,
  expected: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>> | undefined,
): SqsQueueDifference[] {
  return Object.entries(expected)
    .filter(([attribute, value]) => !same(value, found?.[attribute] ?? ''))
    .map(([attribute, value]) => ({ name, attribute, expected: value, found: found?.[attribute] }));
}

/** Compares the queues with their definitions; changes nothing. */
export async function checkQueues(
  client: SQSClient,
  definitions: readonly SqsQueueDefinition[],
): Promise<SqsQueueDifference[]> {
  const found: SqsQueueDifference[] = [];
  for (const { name, deadName, attributes, deadAttributes } of definitions) {
    const dead = await attributesOf(client, deadName);
    found.push(...differences(deadName, deadAttributes, dead));
    const policy = { RedrivePolicy: redrivePolicy(dead?.QueueArn ?? `(${deadName})`) };
    found.push(...differences(name, { ...attributes, ...policy }, await attributesOf(client, name)));
  }
  return found;
}

async function createQueue(
  client: SQSClient,
  name: string,
  attributes: Readonly<Record<string, string>>,
): Promise<string> {
  const found = await attributesOf(client, name);
  if (found !== undefined && differences(name, attributes, found).length === 0) return found.QueueArn ?? '';
  try {
    if (found === undefined) {
      const made = await client.send(
        new CreateQueueCommand({ QueueName: name, Attributes: { ...attributes } }),
      );
      // By its URL: for a moment its name is not known everywhere.
      const asked = { QueueUrl: made.QueueUrl, AttributeNames: ['QueueArn' as const] };
      return (await client.send(new GetQueueAttributesCommand(asked))).Attributes?.QueueArn ?? '';
    }
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
    const wrong = differences(name, attributes, found).map(({ attribute, expected }) => [
      attribute,
      expected,
    ]);
    await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: Object.fromEntries(wrong) }));
    return found.QueueArn ?? '';
  } catch (thrown) {
    throw asBrokerError(thrown);
  }
}

/** Queues at once: SQS throttles whoever creates many. */
const atOnce = 8;

/** Creates what is missing and corrects what differs; each dead-letter queue first. To do it twice does no harm. */
export async function createQueues(
  client: SQSClient,
  definitions: readonly SqsQueueDefinition[],
): Promise<void> {
  const create = async (definition: SqsQueueDefinition): Promise<void> => {
    const arn = await createQueue(client, definition.deadName, definition.deadAttributes);
    const attributes = { ...definition.attributes, RedrivePolicy: redrivePolicy(arn) };
    await createQueue(client, definition.name, attributes);
  };
  for (let i = 0; i < definitions.length; i += atOnce) {
    await Promise.all(definitions.slice(i, i + atOnce).map(create));
  }
}
