import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { redrivePolicy, type SqsQueueDefinition } from './sqs-definition.ts';
import { asBellError, isMissingQueue } from './sqs-failures.ts';

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
    throw asBellError(thrown);
  }
}

/** As JSON where it is JSON, so that the order of its fields does not matter. */
function same(expected: string, found: string): boolean {
  if (expected === found) return true;
  try {
    const [a, b] = [JSON.parse(expected), JSON.parse(found)] as Record<string, unknown>[];
    const names = Object.keys({ ...a, ...b });
    return names.every((name) => String(a?.[name]) === String(b?.[name]));
  } catch {
    return false;
  }
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
): Promise<Record<string, string>> {
  const found = await attributesOf(client, name);
  const wrong = differences(name, attributes, found);
  if (found !== undefined && wrong.length === 0) return found;
  try {
    if (found === undefined) {
      await client.send(new CreateQueueCommand({ QueueName: name, Attributes: { ...attributes } }));
    } else {
      const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
      // Whether it is FIFO cannot be changed, and need not be: its name says so.
      const { FifoQueue: _, ...changeable } = attributes;
      await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: changeable }));
    }
  } catch (thrown) {
    throw asBellError(thrown);
  }
  return (await attributesOf(client, name)) ?? {};
}

/** Creates what is missing and corrects what differs; each dead-letter queue first. To do it twice does no harm. */
export async function createQueues(
  client: SQSClient,
  definitions: readonly SqsQueueDefinition[],
): Promise<void> {
  const create = async (definition: SqsQueueDefinition): Promise<void> => {
    const { QueueArn = '' } = await createQueue(client, definition.deadName, definition.deadAttributes);
    const policy = { RedrivePolicy: redrivePolicy(QueueArn) };
    await createQueue(client, definition.name, { ...definition.attributes, ...policy });
  };
  await Promise.all(definitions.map(create));
}
