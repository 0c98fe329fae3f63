import { GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tableClient } from '../../src/engines/aws/table/open.ts';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

interface Write {
  readonly Key?: Item;
  readonly Item?: Item;
  readonly UpdateExpression?: string;
}

/** Returns every write that a DynamoDB request contains. */
function writesOf(input: object): Write[] {
  const { TransactItems, ...one } = input as { TransactItems?: Record<string, Write | undefined>[] } & Write;
  if (TransactItems === undefined) return [one];
  return TransactItems.flatMap((item) => Object.values(item).filter((write) => write !== undefined));
}

/** Reads all stored events of a task by their numbers, both in the head and moved out of the head. */
async function stored(engine: EngineOnTable, partition: string): Promise<Map<number, string>> {
  const client = tableClient(clientOf(dynoxide.endpoint));
  const events = new Map<number, string>();
  const put = (first: number, item: Item | undefined): void => {
    for (const [i, event] of (item?.ev?.L ?? []).entries()) {
      const text = Buffer.from(event.B ?? []).toString('hex');
      if (events.has(first + i)) expect(text).toBe(events.get(first + i));
      events.set(first + i, text);
    }
  };
  const moved = await client.send(
    new QueryCommand({
      TableName: engine.table,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :e)',
      ExpressionAttributeValues: { ':pk': { S: partition }, ':e': { S: 'E#' } },
      ConsistentRead: true,
    }),
  );
  for (const item of moved.Items ?? []) put(Number(item.f?.N), item);
  const key = { pk: { S: partition }, sk: { S: 'H' } };
  const { Item: head } = await client.send(
    new GetItemCommand({ TableName: engine.table, Key: key, ConsistentRead: true }),
  );
  if (head !== undefined) put(Number(head.v?.N) - (head.ev?.L?.length ?? 0) + 1, head);
  client.destroy();
  return events;
}

/** Gives a task events of every kind, more events than its head can hold. */
async function live(engine: EngineOnTable): Promise<Snapshot> {
  const { fixture } = engine;
  let task = await fixture.accept({ orderingKey: 'ann', options: { retry: { maxAttempts: 100 } } });
  for (let i = 0; i < 12; i++) {
    task = await fixture.claim(task);
    await fixture.append({
      kind: 'renewal',
      id: task.id,
      expect: { fencingToken: task.head.fencingToken },
      leaseEndAtMs: fixture.now + 40_000,
      begun: false,
      progress: { fraction: 0.5, note: 'half' },
    });
    task = await fixture.read(task);
    if (i === 4) {
      await fixture.clock.advance(60_000);
      task = await fixture.apply(fixture.transition(task, { kind: 'expire' }));
    } else {
      task = i % 3 === 0 ? await fixture.snooze(task) : await fixture.fail(task);
      await fixture.clock.advance(1_000);
      task = await fixture.makeReady(task);
    }
  }
  task = await fixture.die(task);
  await fixture.store.leaveLane(fixture.lane('ann'), task.id, task.laneSeq);
  task = await fixture.redrive(await fixture.finishHandOver(task), true);
  return fixture.cancel(await fixture.makeReady(task));
}

test('no write changes a stored event, and only list_append expressions touch the events', async () => {
  const engine = await openEngineOnTable(dynoxide.endpoint);
  let before = new Map<number, string>();
  let writes = 0;
  for (const client of engine.parts.clients)
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const answer = await next(args);
        if (!/^(Put|Update|Delete|Transact)/.test(context.commandName ?? '')) return answer;
        for (const write of writesOf(args.input)) {
          const expression = write.UpdateExpression ?? '';
          expect(expression.replace(/#ev = list_append\((#ev|:kept), :events\)/, '')).not.toMatch(/ev/);
          expect(write.Item?.sk?.S, 'a head is never put').not.toBe('H');
          const partition = (write.Key ?? write.Item)?.pk?.S ?? '';
          if (!partition.startsWith('T#')) continue;
          writes++;
          const after = await stored(engine, partition);
          for (const [number, event] of before) expect(after.get(number)).toBe(event);
          before = after;
        }
        return answer;
      },
      { step: 'initialize' },
    );
  const task = await live(engine);
  expect(writes).toBeGreaterThan(50);
  const { head } = task;
  expect([...before.keys()].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: head.version - 1 }, (_, i) => i + 2),
  );
  expect(task.tip.length, 'older events were moved out').toBeLessThan(head.version - 1);
  expect(await engine.fixture.store.history(task.id, 0)).toHaveLength(head.version);
  const { fixture } = engine;
  const whole = { events: head.version, fault: undefined };
  expect(await fixture.store.verify?.(task.id, fixture.now)).toMatchObject(whole);
  await engine.close();
});
