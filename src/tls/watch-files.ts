/** Watches files of a running server by polling, because file events are lost on many mounts. */
import { statSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';

export const watchEveryMs = 2_000;

function fingerprintOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const { ino, size, mtimeMs } = statSync(file);
        return `${ino}/${size}/${mtimeMs}`;
      } catch {
        return 'absent';
      }
    })
    .join(' ');
}

/**
 * Checks the files every 2 s and calls `changed` if one of them has changed. Returns a function that ends the checks.
 * If `changed` returns false, it is called again at the next check, because files that belong together are seldom
 * replaced at once.
 */
export function watchFiles(clock: Clock, files: readonly string[], changed: () => boolean): () => void {
  let seen = fingerprintOf(files);
  let cancel = clock.after(watchEveryMs, check);
  function check(): void {
    const now = fingerprintOf(files);
    if (now !== seen && changed()) seen = now;
    cancel = clock.after(watchEveryMs, check);
  }
  return () => cancel();
}
