import { Delays } from './delays.ts';
import type { Image, Shadow } from './shadow.ts';

/** How a shadow keeps up with its table. */
export interface Follower {
  readonly shadow: Shadow;
  /** One write of the table. Resolves when what must be seen at once is. */
  follow(before: Image, after: Image, lagMs: number): Promise<void>;
  /** Ends every lag; resolves when all is written. */
  caughtUp(): Promise<void>;
  close(): void;
}

/** Every image arrives, each after its own lag and never before its predecessor: as a global index does. */
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

/** Holds the image before the newest until its lag is over: as a replica that the last write has not reached. */
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
