import type { Bell, Bells, Want } from '../../../src/ports/broker.ts';
import type { QueueRef } from '../../../src/ports/task-store.ts';

/**
 * Gives each bell to two receivers at one instant. A server rings a task for one receiver only, so two claims of one
 * task would never meet; here they do, and nothing but the store's condition stands between them.
 */
export function pairedBells(inner: Bells): Bells {
  let first: { readonly bells: Promise<readonly Bell[]>; readonly joined: () => void } | undefined;
  function receive(queues: readonly QueueRef[], want: Want): Promise<readonly Bell[]> {
    if (first !== undefined) {
      const { bells, joined } = first;
      first = undefined;
      joined();
      return bells;
    }
    const { promise: second, resolve: joined } = Promise.withResolvers<void>();
    const bells = inner.receive(queues, want).then(async (heard) => {
      if (heard.length > 0) await second;
      else if (first?.bells === bells) first = undefined;
      return heard;
    });
    first = { bells, joined };
    return bells;
  }
  return {
    receive,
    ring: (rings) => inner.ring(rings),
    hide: (bells, of) => inner.hide(bells, of),
    silence: (handles, of) => inner.silence(handles, of),
    ...(inner.spent && {
      spent: (nowMs, forMs, limit) => inner.spent?.(nowMs, forMs, limit) ?? Promise.resolve([]),
    }),
  };
}
