import type { Clock } from '../ports/clock.ts';

/**
 * Waits until the work has ended or has failed, but at most `ms`. Returns false if the work still runs then; it goes on
 * in the background.
 */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const ended = work.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([ended, clock.sleep(Math.max(0, ms), stop.signal).then(() => false)]);
  stop.abort();
  return inTime;
}
