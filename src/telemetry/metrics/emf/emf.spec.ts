import { expect, it } from 'vitest';
import { silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { NodeCounters } from '../node-counters.ts';
import { Registry } from '../registry.ts';
import { SlotCounts } from '../slot-counts.ts';
import { emfEveryMs } from './names.ts';
import { writeEmf } from './write-emf.ts';

function writer() {
  const clock = virtualClock();
  const registry = new Registry({ clock, log: silentLog });
  const written: Record<string, unknown>[] = [];
  const write = (line: string): void => void written.push(JSON.parse(line));
  const emf = writeEmf({ registry, clock, log: silentLog, namespace: 'Holdfast/jobs', write });
  return { clock, registry, written, emf };
}

it('each minute a line of EMF has the gauges of each queue, and one those of the process', async () => {
  const { clock, registry, written, emf } = writer();
  registry.addSource({
    name: 'queues',
    everyMs: 0,
    read(gauges) {
      gauges.set('holdfast.queue.oldest_ready.age', { queue: 'mail' }, 7);
      gauges.set('holdfast.queue.tasks', { queue: 'mail', state: 'ready' }, 3);
      gauges.set('holdfast.queue.tasks', { queue: 'mail', state: 'running' }, 9);
      gauges.set('holdfast.queue.unserved', { queue: 'mail', cause: 'no_worker' }, 2);
      gauges.set('holdfast.queue.unserved', { queue: 'mail', cause: 'paused' }, 5);
      gauges.set('holdfast.queue.unserved', { queue: 'holdfast-canary', cause: 'no_worker' }, 1);
    },
  });
  await clock.advance(emfEveryMs - 1);
  expect(written).toEqual([]);
  await clock.advance(1);
  const mail = written.find(({ Queue }) => Queue === 'mail');
  expect(mail).toMatchObject({ OldestReadyAge: 7, ReadyTasks: 3, Unserved: 2 });
  expect(mail?._aws).toMatchObject({
    Timestamp: clock.now(),
    CloudWatchMetrics: [
      {
        Namespace: 'Holdfast/jobs',
        Dimensions: [['Queue']],
        Metrics: expect.arrayContaining([{ Name: 'OldestReadyAge', Unit: 'Seconds' }]),
      },
    ],
  });
  expect(written.find((line) => !('Queue' in line))).toMatchObject({ Unserved: 2 });
  const stopped = emf.stop(300);
  await clock.advance(300);
  await stopped;
});

it('refused calls are those that failed by the server, counted since the line before', async () => {
  const { clock, registry, written, emf } = writer();
  const node = new NodeCounters(registry);
  node.called('SubmitTask', 'OK', undefined, 1);
  node.called('SubmitTask', 'UNAVAILABLE', 'STORE_BUSY', 1);
  node.called('SubmitTask', 'INVALID_ARGUMENT', 'BAD_FIELD', 1);
  await clock.advance(emfEveryMs);
  node.called('SubmitTask', 'PERMISSION_DENIED', 'DENIED', 1);
  await clock.advance(emfEveryMs);
  expect(written).toMatchObject([
    { Calls: 3, RefusedCalls: 1 },
    { Calls: 1, RefusedCalls: 1 },
  ]);
  const stopped = emf.stop(300);
  await clock.advance(300);
  await stopped;
});

it('a process that stops writes the counts since its last line', async () => {
  const { clock, registry, written, emf } = writer();
  const slots = new SlotCounts(registry);
  slots.count('good', 4);
  slots.count('late', 1);
  slots.count('missed', 2);
  const stopped = emf.stop(300);
  await clock.advance(300);
  await stopped;
  expect(written).toMatchObject([{ GoodSlots: 4, BadSlots: 3 }]);
});
