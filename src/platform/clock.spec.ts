import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { uuidV7 } from './uuid.ts';

describe('the system clock', () => {
  const clock = systemClock();

  it('sleeps for about the requested time', async () => {
    const startMs = clock.monotonic();
    await clock.sleep(20);
    expect(clock.monotonic() - startMs).toBeGreaterThan(15);
  });

  it('ends a sleep at once if the signal is aborted before or during the sleep', async () => {
    const abort = new AbortController();
    const meanwhile = clock.sleep(60_000, abort.signal);
    abort.abort();
    await meanwhile;
    await clock.sleep(60_000, abort.signal);
  });

  it('calls back once after the requested time, and never if the call was cancelled', async () => {
    const calls: string[] = [];
    clock.after(5, () => calls.push('kept'));
    clock.after(5, () => calls.push('cancelled'))();
    await clock.sleep(15);
    expect(calls).toEqual(['kept']);
  });

  it('does not call back early if the wait is longer than a Node timer allows', async () => {
    let called = false;
    const cancel = clock.after(2 ** 31 + 5, () => {
      called = true;
    });
    await clock.sleep(10);
    expect(called).toBe(false);
    cancel();
  });

  it('runs the callback of soon() after pending promises and before the next timer', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.soon(() => {
        order.push('soon');
        resolve();
      });
      void Promise.resolve().then(() => order.push('promise'));
    });
    expect(order).toEqual(['promise', 'soon']);
  });

  it('returns secrets of 8 bytes that never repeat', () => {
    const secrets = Array.from({ length: 10_000 }, () => clock.secret());
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(8);
    expect(new Set(secrets).size).toBe(secrets.length);
    expect(systemClock().secret()).not.toBe(systemClock().secret());
  });

  it('returns random numbers from 0 to below 1', () => {
    const drawn = Array.from({ length: 100 }, () => clock.random());
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
  });
});

describe('a UUID', () => {
  it('has the form of version 7 and begins with the time', () => {
    const id = systemClock().uuid();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    expect(Math.abs(ms - Date.now())).toBeLessThan(1_000);
  });

  it('is greater than the UUID before it, also within a millisecond and after the counter overflows', () => {
    const clock = systemClock();
    const made = Array.from({ length: 10_000 }, () => clock.uuid());
    expect(made).toEqual(made.toSorted());
    expect(new Set(made).size).toBe(made.length);
  });

  it('is greater than the UUID before it even if the clock goes back', () => {
    let ms = 1_000_000;
    const uuid = uuidV7(
      () => ms,
      (bytes) => bytes.fill(0xff),
    );
    const made = [uuid(), uuid()];
    ms -= 5_000;
    made.push(uuid(), uuid());
    expect(made).toEqual([...new Set(made)].sort());
  });
});
