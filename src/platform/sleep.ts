import type { Clock } from '../ports/clock.ts';

/**
 * Builds a clock's `sleep` from its `after`. It resolves after the time or when the signal is aborted, and never
 * rejects.
 */
export function sleepOver(after: Clock['after']): Clock['sleep'] {
  return (ms, signal) => {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = after(ms, done);
      signal?.addEventListener('abort', done);
    });
  };
}
