import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { redrivePolicy, type SqsQueueDefinition } from './definition.ts';
import { asBrokerError, isMissingQueue } from './errors.ts';

/** One attribute of an SQS queue that differs from the queue's definition. */
export interface SqsQueueDifference {
  readonly name: string;
  readonly attribute: string;
  readonly expected: string;
  /** The current value of the attribute, or undefined if the SQS queue or the attribute does not exist. */
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

/**
 * Compares two attribute values of SQS queues. In JSON objects, neither the order of fields matters nor whether a
 * number is written as a string.
 */
function isEqualAttribute(expected: string, found: string): boolean {
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
    .filter(([attribute, value]) => !isEqualAttribute(value, found?.[attribute] ?? ''))
    .map(([attribute, value]) => ({ name, attribute, expected: value, found: found?.[attribute] }));
}

/** Compares the SQS queues with their definitions without changing them, and returns the differences. */
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
      // The attributes of a new queue are read by its URL, since for a moment SQS does not find a new queue by its
      // name.
      const request = { QueueUrl: made.QueueUrl, AttributeNames: ['QueueArn' as const] };
      return (await client.send(new GetQueueAttributesCommand(request))).Attributes?.QueueArn ?? '';
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

/**
 * The maximum number of SQS queues that are created concurrently. SQS throttles the creation of many queues at once.
 */
const queuesAtOnce = 8;

/**
 * Creates missing SQS queues and corrects attributes that differ. Each dead-letter queue is created before
 * the queue that refers to it. Idempotent.
 */
export async function createQueues(
  client: SQSClient,
  definitions: readonly SqsQueueDefinition[],
): Promise<void> {
  const create = async (definition: SqsQueueDefinition): Promise<void> => {
    const arn = await createQueue(client, definition.deadName, definition.deadAttributes);
    const attributes = { ...definition.attributes, RedrivePolicy: redrivePolicy(arn) };
    await createQueue(client, definition.name, attributes);
  };
  for (let i = 0; i < definitions.length; i += queuesAtOnce) {
    await Promise.all(definitions.slice(i, i + queuesAtOnce).map(create));
  }
}
