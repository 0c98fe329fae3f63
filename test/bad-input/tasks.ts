/** Submits tasks before a test gives a server bad input, and checks afterwards that each of them ended exactly once. */
import { expect } from 'vitest';
import type { Client } from '../../src/index.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';

export const note = defineTask('note', { input: typed<{ n: number }>(), queue: 'notes' });

/** Submits `count` notes with different idempotency keys, and returns their task ids. */
export async function acceptNotes(client: Client, count: number, name = 'before'): Promise<string[]> {
  const items = Array.from({ length: count }, (_, n) => ({ input: { n }, idempotencyKey: `${name}/${n}` }));
  const submitted = await client.submitMany(note, items);
  return submitted.map((one) => {
    if (!one.ok) throw one.error;
    expect(one.task.deduplicated).toBe(false);
    return one.task.id;
  });
}

/** Runs the tasks with the given ids, and checks that each ran once and has exactly one success event. */
export async function expectEndOnce(client: Client, ids: readonly string[]): Promise<void> {
  const runs = new Map<string, number>();
  const worker = defineWorker({
    handlers: [handle(note, (_, { id }) => void runs.set(id, (runs.get(id) ?? 0) + 1))],
  });
  await using running = await client.work(worker);
  await Promise.all(ids.map((id) => client.task(id).result({ timeout: '20s' })));
  for (const id of ids) {
    const kinds: string[] = [];
    for await (const event of client.task(id).events()) kinds.push(event.kind);
    expect(kinds.filter((kind) => kind === 'succeeded')).toEqual(['succeeded']);
    expect(kinds.at(-1)).toBe('succeeded');
    expect(runs.get(id)).toBe(1);
  }
  expect(running).toBeDefined();
}
