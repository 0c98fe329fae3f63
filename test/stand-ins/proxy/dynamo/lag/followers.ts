import { Delays } from './delays.ts';
import type { Image, Shadow } from './shadow.ts';

/** Copies the writes of a table to its shadow (the proxy's copy of the table), each write after a lag. */
export interface Follower {
  readonly shadow: Shadow;
  /**
   * Receives one write of the table. Resolves when the version that must be visible in the copy at once is written.
   */
  follow(before: Image, after: Image, lagMs: number): Promise<void>;
  /** Ends every lag, and resolves when all versions of items are written to the copy. */
  caughtUp(): Promise<void>;
  close(): void;
}

/**
 * Creates a follower that acts like a global index: every version of an item reaches the copy after its own lag, and
 * never before the previous version.
 */
export function lagging(shadow: Shadow): Follower {
  const delays = new Delays();
  const last = new Map<string, Promise<void>>();
  return {
    shadow,
    async follow({ keyName }, after, lagMs) {
      const ahead = last.get(keyName);
      if (ahead === undefined && lagMs === 0) return shadow.write(after);
      const done = delays.later(lagMs, async () => {
        await ahead;
        await shadow.write(after);
      });
      last.set(keyName, done);
      done.finally(() => last.get(keyName) === done && last.delete(keyName));
    },
    caughtUp: () => delays.end(),
    close: () => delays.close(),
  };
}

/**
 * Creates a follower that acts like a replica which the last write has not reached: the copy holds the version before
 * the newest until a lag ends.
 */
export function oneBehind(shadow: Shadow): Follower {
  const delays = new Delays();
  const newest = new Map<string, Image>();
  return {
    shadow,
    async follow(before, after, lagMs) {
      const { keyName } = after;
      newest.set(keyName, after);
      if (lagMs === 0) return shadow.write(after);
      await shadow.write(before);
      void delays.later(lagMs, async () => {
        if (newest.get(keyName) !== after) return;
        newest.delete(keyName);
        await shadow.write(after);
      });
    },
    caughtUp: () => delays.end(),
    close: () => delays.close(),
  };
}
