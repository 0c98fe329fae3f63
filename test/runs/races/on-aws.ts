/** Races between two processes with an engine each on one table, as if SQS delivered a message to both of them. */
import { aws, createTable, tableClient } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Broker, DispatchMessage } from '../../../src/ports/broker.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { createService } from '../../../src/service/create-service.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import type { LoggedCall } from '../../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { Judge, Readiness } from './judge.ts';
import { claimerNames } from './names.ts';
import { type Race, type RaceChild, startChild } from './race.ts';
import { acceptedId, raceItem } from './task.ts';

const table = 'races';
/** The random part of each call's latency, so that the writes arrive in a random order. */
const jitterMs = 2;
/** An endpoint of SQS that nobody calls: the claimers get their messages from this process. */
const nowhere = clientOf('http://127.0.0.1:1');
const anyTime = { notAfterMs: undefined };

async function racing(proxy: DynamoProxy, count: number, children: RaceChild[]): Promise<Race[]> {
  const clock = systemClock();
  const client = tableClient(clientOf(proxy.url));
  await createTable(client, table, clock);
  client.destroy();
  const judge = new Judge(claimerNames.length);
  const readiness = new Readiness(claimerNames.length);
  for (const name of claimerNames) {
    const claimer = startChild('./aws-claimer.ts', [name, table, proxy.url], (report) => {
      readiness.receive(report);
      judge.receive(name, report);
    });
    children.push(claimer);
  }
  await readiness.ready;
  const engine = aws({ table, clock, dynamodb: clientOf(proxy.url), sqs: nowhere });
  const sent: DispatchMessage[] = [];
  const broker: Broker = {
    receive: async () => [],
    send: async (messages) => {
      sent.push(...messages);
      return messages.map(() => true);
    },
    changeVisibility: async (changes) => changes.map(() => true),
    delete: async (receiptHandles) => receiptHandles.map(() => true),
  };
  const running = { ...engine, broker, node: 'submitter', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(running);
  const races = await judge.races(count, children, async (i) => {
    const [result] = await service.submit({ tenant: 'default', queue: 'races' }, [raceItem(i)], anyTime);
    const [message] = sent.splice(0);
    return { taskId: acceptedId(result), message: { message } };
  });
  await settled();
  await engine.close();
  return races;
}

/** Runs the races. `onCalls` gets the requests to the table before the stand-ins end. */
export async function raceOnAws(
  count: number,
  seed: number,
  onCalls?: (calls: readonly LoggedCall[]) => void,
): Promise<Race[]> {
  const children: RaceChild[] = [];
  const dynoxide = await startDynoxide();
  const latency = { fixedMs: 0, jitterMs };
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed, latency });
  try {
    const races = await racing(proxy, count, children);
    onCalls?.(proxy.calls);
    return races;
  } finally {
    for (const one of children) await one.stop();
    await proxy.close();
    await dynoxide.stop();
  }
}
