/** Reads the tasks of a run of `npm run deploys`: whether they have ended, and after the run their histories. */
import type { Client } from '../../../src/index.ts';
import type { Snapshot, TaskStore } from '../../../src/ports/task-store.ts';
import type { TaskRecord } from './judge.ts';

const readItems = 100;
const readsAtOnce = 4;
const callsAtOnce = 64;

/** Returns the ids of the tasks that have not ended. */
export async function unendedOf(client: Client, ids: readonly string[]): Promise<string[]> {
  const unended: string[] = [];
  const check = async (id: string): Promise<void> => {
    const status = await client.get(id).catch(() => undefined);
    if (status?.endedAt === undefined) unended.push(id);
  };
  for (let i = 0; i < ids.length; i += callsAtOnce)
    await Promise.all(ids.slice(i, i + callsAtOnce).map(check));
  return unended;
}

async function recordOf(store: TaskStore, { id, submission, head, tip }: Snapshot): Promise<TaskRecord> {
  const whole = tip.length === head.version - 1;
  const { scope, type, options } = submission;
  return {
    ...{ id, type, queue: scope.queue, maxAttempts: options.retry.maxAttempts },
    events: [submission.submitted, ...(whole ? tip : await store.history(id, 1))],
  };
}

/** Reads the acknowledged tasks that exist. */
export async function readTasks(store: TaskStore, ids: readonly string[]): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  const read = async (part: readonly string[]): Promise<void> => {
    for (const snapshot of await store.read(part, Date.now())) {
      if (snapshot !== undefined) records.push(await recordOf(store, snapshot));
    }
  };
  for (let i = 0; i < ids.length; i += readItems * readsAtOnce) {
    const starts = Array.from({ length: readsAtOnce }, (_, n) => i + n * readItems);
    const parts = starts.map((from) => ids.slice(from, from + readItems)).filter((part) => part.length > 0);
    await Promise.all(parts.map(read));
  }
  return records;
}
