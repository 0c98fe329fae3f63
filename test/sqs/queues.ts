import {
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { priorities } from '../../src/core/priority.ts';
import { checkQueues, createQueues } from '../../src/engines/aws/broker/sqs/create.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import { mail, type Site } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

async function urlOf(site: Site, name: string): Promise<string> {
  return (await site.client.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl ?? '';
}

export function queues(says: Says): void {
  says(
    'created SQS queues match their definitions, and creating them again changes nothing',
    async (site) => {
      const definitions = sqsQueuesOf(site.prefix, mail, priorities);
      expect(definitions).toHaveLength(3);
      await createQueues(site.client, definitions);
      expect(await checkQueues(site.client, definitions)).toEqual([]);
      site.front.forget();
      await createQueues(site.client, definitions);
      expect(site.front.count('CreateQueue') + site.front.count('SetQueueAttributes')).toBe(0);
    },
  );

  says(
    'an SQS queue is created with high throughput, a visibility timeout of 32 s, 14 days of retention and a dead-letter queue',
    async (site) => {
      const [definition] = sqsQueuesOf(site.prefix, mail);
      if (definition === undefined) expect.fail();
      await createQueues(site.client, [definition]);
      const QueueUrl = await urlOf(site, definition.name);
      const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] });
      const { Attributes = {} } = await site.client.send(command);
      expect(Attributes).toMatchObject({
        FifoQueue: 'true',
        DeduplicationScope: 'messageGroup',
        FifoThroughputLimit: 'perMessageGroupId',
        VisibilityTimeout: '32',
        MessageRetentionPeriod: '1209600',
      });
      const policy = JSON.parse(Attributes.RedrivePolicy ?? '{}') as Record<string, string>;
      expect(Number(policy.maxReceiveCount)).toBe(100);
      expect(policy.deadLetterTargetArn).toContain(definition.deadName);
    },
  );

  says(
    'checkQueues reports missing SQS queues and wrong attributes, and createQueues corrects them',
    async (site) => {
      const definitions = sqsQueuesOf(site.prefix, mail, ['high', 'normal']);
      await createQueues(site.client, definitions);
      const [high, normal] = definitions;
      if (high === undefined || normal === undefined) expect.fail();
      await site.client.send(new DeleteQueueCommand({ QueueUrl: await urlOf(site, high.name) }));
      const wrong = { QueueUrl: await urlOf(site, normal.name), Attributes: { VisibilityTimeout: '5' } };
      await site.client.send(new SetQueueAttributesCommand(wrong));
      const found = await checkQueues(site.client, definitions);
      expect(found.filter((one) => one.name === normal.name)).toEqual([
        { name: normal.name, attribute: 'VisibilityTimeout', expected: '32', found: '5' },
      ]);
      expect(found.filter((one) => one.name === high.name).map((one) => one.found)).toContain(undefined);
      await createQueues(site.client, definitions);
      expect(await checkQueues(site.client, definitions)).toEqual([]);
    },
  );
}
