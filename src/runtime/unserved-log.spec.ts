import { expect, it } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { recordingLog } from '../../test/fixtures/listening-node.ts';
import { memory } from '../engines/memory/index.ts';
import { createService } from '../service/create-service.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startRuntime } from './runtime.ts';

const tenant = 'default';
const minuteMs = 60_000;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const none = { notAfterMs: undefined };

async function startNode() {
  const clock = virtualClock();
  const log = recordingLog();
  const running = await createService({ ...memory({ clock }), node: 'n', clock, log, createQueues: true });
  const runtime = startRuntime(running);
  const submit = async (queue: string, count: number): Promise<string[]> => {
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const [one] = await running.service.submit({ tenant, queue }, [item(`${i}`, { traceparent })], none);
      if (one?.error === undefined && one !== undefined) ids.push(one.id);
      await clock.advance(1);
    }
    return ids;
  };
  return { clock, log, service: running.service, runtime, submit };
}

it('tasks that no worker handles are in one line a minute, with the five oldest and their traces', async () => {
  const { clock, log, submit, runtime } = await startNode();
  const ids = await submit('idle', 7);
  await clock.advance(3 * minuteMs);
  await runtime.stop();
  expect(log.lines.length).toBeGreaterThanOrEqual(2);
  expect(log.lines.length).toBeLessThanOrEqual(3);
  expect(log.lines[0]).toMatchObject({
    level: 'warn',
    message: expect.stringContaining("7 of the 7 oldest ready tasks of 'idle': "),
    queue: 'idle',
    cause: 'NO_WORKER',
    oldest: ids.slice(0, 5),
    traces: Array.from({ length: 5 }, () => traceId),
    waiting_is_lower_bound: false,
  });
});

it('the tasks of a paused queue are named by that cause, and those of other queues by theirs', async () => {
  const { clock, log, submit, service, runtime } = await startNode();
  await submit('paused', 2);
  await submit('idle', 1);
  await service.updateQueue({ tenant, queue: 'paused' }, { paused: true }, 'operator');
  await clock.advance(2 * minuteMs + 1_000);
  await runtime.stop();
  const lines = log.lines.filter(({ cause }) => cause !== undefined);
  const named = new Set(lines.map(({ queue, cause }) => `${String(queue)} ${String(cause)}`));
  expect([...named].toSorted()).toEqual(['idle NO_WORKER', 'paused QUEUE_PAUSED']);
});

it('nothing is logged of tasks that are ready for less than a minute, nor in the first minute of a node', async () => {
  const { clock, log, submit, runtime } = await startNode();
  await submit('idle', 1);
  await clock.advance(minuteMs - 2_000);
  expect(log.lines).toEqual([]);
  await runtime.stop();
});

it('the command that goes on names the tenant, unless it is the default one', async () => {
  const { clock, log, submit, service, runtime } = await startNode();
  await submit('idle', 1);
  await service.submit({ tenant: 'acme', queue: 'idle' }, [item('a')], none);
  await clock.advance(2 * minuteMs + 1_000);
  await runtime.stop();
  const commands = log.lines.filter(({ cause }) => cause !== undefined).map(({ help }) => help);
  expect([...new Set(commands)].toSorted()).toEqual([
    'holdfast workers --queue idle',
    'holdfast workers --queue idle --tenant acme',
  ]);
});
