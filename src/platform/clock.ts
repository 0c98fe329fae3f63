import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock } from '../ports/clock.ts';
import { sleepOver } from './sleep.ts';
import { uuidV7 } from './uuid.ts';

/**
 * The longest wait of a Node timer, about 24.8 days. A timer with a longer wait would fire at once, so longer waits use
 * several timers.
 */
const longestTimerMs = 2 ** 31 - 1;
const secretBytes = 8;

function after(ms: number, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const partMs = Math.min(leftMs, longestTimerMs);
    timer = setTimeout(() => (leftMs > partMs ? arm(leftMs - partMs) : run()), partMs);
    timer.unref();
  };
  arm(Math.max(0, ms));
  return () => clearTimeout(timer);
}

/** Returns the clock of this machine, with its random numbers. Its timers do not keep the process alive. */
export function systemClock(): Clock {
  const pool = Buffer.alloc(4_096);
  let used = pool.length;
  // Fetches random bytes in blocks of 4 KB, because a system call for 16 bytes costs as much as one for 4 KB.
  const take = (count: number): number => {
    if (used + count > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  const random = (bytes: Uint8Array): void => {
    const from = take(bytes.length);
    bytes.set(pool.subarray(from, from + bytes.length));
  };
  const secret = (): string => {
    const from = take(secretBytes);
    return pool.toString('base64url', from, from + secretBytes);
  };
  return {
    now: Date.now,
    machineNow: Date.now,
    monotonic: () => performance.now(),
    sleep: sleepOver(after),
    after,
    soon: (run) => void setImmediate(run),
    random: Math.random,
    uuid: uuidV7(Date.now, random),
    secret,
  };
}
