/** Reads every acknowledged task from the store after the crash run, and counts the lost and the doubled tasks. */
import { isEnded } from '../../../src/core/task/head.ts';
import { sqlite } from '../../../src/engines/sqlite/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';

export interface Audit {
  readonly lost: number;
  /** The number of tasks whose history does not have exactly one end. */
  readonly doubled: number;
}

const readItems = 100;

export async function audit(path: string, ids: readonly string[]): Promise<Audit> {
  const engine = await sqlite({ path, clock: systemClock() });
  let lost = 0;
  let doubled = 0;
  for (let i = 0; i < ids.length; i += readItems) {
    for (const snapshot of await engine.store.read(ids.slice(i, i + readItems), Date.now())) {
      if (snapshot === undefined || !isEnded(snapshot.head)) {
        lost++;
        continue;
      }
      const ends = snapshot.tip.filter(
        ({ kind }) => kind === 'succeeded' || kind === 'died' || kind === 'cancelled',
      );
      if (ends.length !== 1) doubled++;
    }
  }
  await engine.close();
  return { lost, doubled };
}
