/**
 * Measures the cost of an idle deployment: an API node, and a worker process that polls every queue, with their
 * loops.
 */
import { startRuntime } from '../../src/runtime/runtime.ts';
import { startStillSite } from './cost-table.ts';
import { times, type Units } from './prices.ts';
import { openWorker } from './work.ts';

const minuteMs = 60_000;
const warmUpMs = 2 * minuteMs;
const measuredMs = 5 * minuteMs;
const hourMs = 60 * minuteMs;
const slots = 10;
/** The largest number of queues of one worker stream. */
const queuesAStream = 64;

/**
 * Returns the consumption of an idle hour: the consumption of five minutes on a virtual clock, times twelve.
 */
export async function idleHour(queueCount: number): Promise<Units> {
  const site = await startStillSite();
  const [api, worker] = [await site.node('api'), await site.node('worker')];
  const names = Array.from({ length: queueCount }, (_, i) => `queue-${i}`);
  const queues = await Promise.all(names.map((name) => site.queue(name)));
  const runtimes = [startRuntime(api), startRuntime(worker, { takesPart: false })];
  const sessions = [];
  for (let i = 0; i < queues.length; i += queuesAStream) {
    const some = queues.slice(i, i + queuesAStream);
    sessions.push(openWorker(worker, some, slots, async () => {}));
  }
  await site.clock.advance(warmUpMs);
  site.reset();
  await site.clock.advance(measuredMs);
  const consumed = times(site.consumed(), hourMs / measuredMs);
  for (const session of sessions) session.close();
  for (const runtime of runtimes) void runtime.stop();
  await site.clock.advance(minuteMs);
  await site.stop();
  return consumed;
}
