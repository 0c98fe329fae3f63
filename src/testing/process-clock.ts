import { sleepOver } from '../platform/sleep.ts';
import { uuidV7 } from '../platform/uuid.ts';
import type { Clock } from '../ports/clock.ts';

/** The clock of one simulated process. Its wall clock may be off, and the process may stand still or be killed. */
export interface ProcessClock extends Clock {
  /** Moves the wall clock of this process, but not its timers, by `ms` forward or (if negative) back. */
  jump(ms: number): void;
  /**
   * Makes the process stand still, as SIGSTOP does: none of its callbacks is called and its clocks show the same time
   * until `thaw`. Then its clocks show the true time at once, so that the process can notice the gap.
   */
  freeze(): void;
  /**
   * Ends `freeze`. The callbacks that came due meanwhile are called in their order, one in each turn, so that the
   * promises that a callback resolves settle before the next callback.
   */
  thaw(): void;
  /** True while the process stands still, and until the callbacks that came due meanwhile have been called. */
  readonly isBehind: boolean;
  /**
   * Runs a callback that comes from outside the process, such as a message that arrives: now, or after the process has
   * stood still, or never if the process is dead.
   */
  run(callback: () => unknown): void;
  /** Kills the process: none of its callbacks, earlier or later ones, is ever called. */
  kill(): void;
}

export function randomBytesOf(random: () => number): (bytes: Uint8Array) => void {
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
  };
}

/** Returns a source of the 8 bytes of `Clock.secret`. */
export function secretsOf(fill: (bytes: Uint8Array) => void): () => string {
  const bytes = Buffer.alloc(8);
  return () => {
    fill(bytes);
    return bytes.toString('base64url');
  };
}

/** Creates the clock of a process on the given clock, which all processes share. */
export function processClock(shared: Clock, offsetMs: number): ProcessClock {
  let offset = offsetMs;
  let dead = false;
  /** The time on the shared monotonic clock at which the process began to stand still. */
  let frozenAtMs: number | undefined;
  let deferred: (() => unknown)[] = [];
  let isCatchingUp = false;

  const behindMs = (): number => (frozenAtMs === undefined ? 0 : shared.monotonic() - frozenAtMs);
  const now = (): number => shared.now() - behindMs() + offset;
  const isBehind = (): boolean => frozenAtMs !== undefined || isCatchingUp;

  function run(callback: () => unknown): void {
    if (dead) return;
    if (isBehind()) deferred.push(callback);
    else callback();
  }

  function catchUp(): void {
    const next = dead || frozenAtMs !== undefined ? undefined : deferred.shift();
    isCatchingUp = next !== undefined;
    next?.();
    if (isCatchingUp) shared.soon(catchUp);
  }

  const after: Clock['after'] = (ms, callback) => {
    if (dead) return () => {};
    let cancelled = false;
    const cancel = shared.after(ms, () => run(() => cancelled || callback()));
    return () => {
      cancelled = true;
      cancel();
    };
  };

  return {
    now,
    machineNow: now,
    monotonic: () => shared.monotonic() - behindMs(),
    after,
    sleep: sleepOver(after),
    soon: (callback) => shared.soon(() => run(callback)),
    random: () => shared.random(),
    uuid: uuidV7(
      now,
      randomBytesOf(() => shared.random()),
    ),
    secret: () => shared.secret(),
    jump(ms) {
      offset += ms;
    },
    freeze() {
      if (!dead) frozenAtMs ??= shared.monotonic();
    },
    thaw() {
      if (frozenAtMs === undefined) return;
      frozenAtMs = undefined;
      if (isCatchingUp) return;
      isCatchingUp = true;
      shared.soon(catchUp);
    },
    get isBehind() {
      return isBehind();
    },
    run,
    kill() {
      dead = true;
      deferred = [];
    },
  };
}
