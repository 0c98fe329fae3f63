import { afterAll, beforeAll, describe } from 'vitest';
import { priorities } from '../../src/core/priority.ts';
import { createSqsBroker } from '../../src/engines/aws/broker/broker.ts';
import { createQueues } from '../../src/engines/aws/broker/sqs/create.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import type { Engine } from '../../src/ports/engine.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { deliveries } from '../contract/broker/deliveries.ts';
import { limitsAndTurns } from '../contract/broker/limits-and-turns.ts';
import { taskDeliveries } from '../contract/broker/task-deliveries.ts';
import { visibility } from '../contract/broker/visibility.ts';
import { type OpenEngine, register } from '../contract/subject.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { standInClock } from '../stand-ins/stand-in-clock.ts';
import { closeBroker } from './broker-on-sqs.ts';

/** The Holdfast queues that the tests of the broker contract use. */
const queues = [
  { tenant: 'acme', queue: 'mail' },
  { tenant: 'acme', queue: 'other' },
  { tenant: 'acme', queue: 'nobody' },
  { tenant: 'other', queue: 'mail' },
];

/** Opens engines that keep tasks in memory and use the broker on SQS. Each test has its own SQS queues. */
function openOn(standIn: () => SqsStandIn): OpenEngine {
  let opened = 0;
  return async () => {
    const { front, setTime, endpoint } = standIn();
    const clock = standInClock({ front, setTime });
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

/** Runs the broker part of the engine contract on an SQS stand-in that it starts. */
export function brokerContract(name: string, start: () => Promise<SqsStandIn>): void {
  describe(name, () => {
    let standIn: SqsStandIn;
    beforeAll(async () => {
      standIn = await start();
    });
    afterAll(() => standIn.stop());
    const open = openOn(() => standIn);
    register('which tasks have a dispatch message', open, taskDeliveries);
    register('receiving', open, deliveries);
    register('limits of task types, and turns of queues', open, limitsAndTurns);
    register('hidden messages', open, visibility);
  });
}
