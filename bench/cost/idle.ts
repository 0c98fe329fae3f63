/** What nothing costs: one API node and one worker process that listens to every queue, each with its loops. */
import { startRuntime } from '../../src/runtime/runtime.ts';
import { startStillSite } from './cost-table.ts';
import { times, type Units } from './prices.ts';
import { openWorker } from './work.ts';

const minuteMs = 60_000;
const warmUpMs = 2 * minuteMs;
const measuredMs = 5 * minuteMs;
const hourMs = 60 * minuteMs;
const slots = 10;
/** What a stream is given at most. */
const queuesAStream = 64;

/** Per hour: five minutes by a clock of the bench's, twelve times. */
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
