/** Files that change under a running server: looked at again and again, since file events are lost on many mounts. */
import { statSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';

export const watchEveryMs = 2_000;

function printOf(files: readonly string[]): string {
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
 * Calls back when one of the files has changed. `changed` answers whether it could take the change up; where not,
 * it is asked again at the next look (files that belong together are seldom replaced in one moment).
 */
export function watchFiles(clock: Clock, files: readonly string[], changed: () => boolean): () => void {
  let seen = printOf(files);
  let cancel = clock.after(watchEveryMs, look);
  function look(): void {
    const now = printOf(files);
    if (now !== seen && changed()) seen = now;
    cancel = clock.after(watchEveryMs, look);
  }
  return () => cancel();
}
