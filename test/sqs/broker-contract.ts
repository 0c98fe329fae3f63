import { afterAll, beforeAll, describe } from 'vitest';
import { priorities } from '../../src/core/submission/submission.ts';
import { createSqsBroker } from '../../src/engines/aws/broker/broker.ts';
import { createQueues } from '../../src/engines/aws/broker/sqs/create.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import type { Engine } from '../../src/ports/engine.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { deliveries } from '../contract/broker/deliveries.ts';
import { taskDeliveries } from '../contract/broker/task-deliveries.ts';
import { visibility } from '../contract/broker/visibility.ts';
import { type Open, register } from '../contract/subject.ts';
import { clockBeside } from '../stand-ins/clock-beside.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { closeBroker } from './broker-on-sqs.ts';

/** The queues that the contract's sentences name. */
const queues = [
  { tenant: 'acme', queue: 'mail' },
  { tenant: 'acme', queue: 'other' },
  { tenant: 'acme', queue: 'nobody' },
  { tenant: 'other', queue: 'mail' },
];

/** Tasks in memory, their bells on SQS; queues of its own for each sentence. */
function openOn(standIn: () => SqsStandIn): Open {
  let opened = 0;
  return async () => {
    const { front, setTime, endpoint } = standIn();
    const clock = clockBeside({ front, setTime });
    const client = standInClient(endpoint);
    const prefix = `t${++opened}`;
    await createQueues(
      client,
      queues.flatMap((queue) => sqsQueuesOf(prefix, queue, priorities)),
    );
    const tasks = externalMemory({ clock });
    const connect = (): Engine => {
      const connected = tasks.connect('it');
      const broker = createSqsBroker({ client, clock, prefix, prioritiesOf: () => priorities });
      const close = async (): Promise<void> => {
        await closeBroker(broker, clock);
        await connected.close();
      };
      return { ...connected, broker, close };
    };
    let current = connect();
    return {
      engine: current,
      clock,
      reopen: async () => {
        await current.close();
        current = connect();
        return current;
      },
      dispose: async () => client.destroy(),
    };
  };
}

/** What is promised of bells, on an SQS that is started for it. */
export function brokerContract(name: string, start: () => Promise<SqsStandIn>): void {
  describe(name, () => {
    let standIn: SqsStandIn;
    beforeAll(async () => {
      standIn = await start();
    });
    afterAll(() => standIn.stop());
    const open = openOn(() => standIn);
    register('which tasks have a bell', open, taskDeliveries);
    register('receiving', open, deliveries);
    register('bells that are held', open, visibility);
  });
}
