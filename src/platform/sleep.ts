import type { Clock } from '../ports/clock.ts';

/**
 * Builds the `sleep` function of a clock from its `after` function. The sleep resolves after the time or when the
 * signal is aborted, and never rejects.
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
