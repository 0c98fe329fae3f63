/**
 * `npm run bench:keys` measures what a submission costs the SQLite engine alone, without the API: batches of 64 whose
 * idempotency keys ascend or are random UUIDs, each batch one commit that is synced. `--path FILE` keeps the store, so
 * that a later run, of another commit too, goes on with it; `--fill N` first submits tasks until the store has N.
 * Prints µs per task in each round.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fold } from '../src/core/task/evolve.ts';
import { sqlite } from '../src/engines/sqlite/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import type { Acceptance } from '../src/ports/task-store.ts';
import { submissionOf } from '../test/contract/submissions.ts';
import { programOptions } from '../test/fixtures/program-options.ts';
import { median } from './report.ts';

const options = programOptions('bench:keys', {
  path: '',
  keys: 'random',
  fill: 1_000_000,
  batch: 64,
  rounds: 5,
  tasks: 64_000,
});
const folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
const path = options.path === '' ? join(folder, 'queue.db') : options.path;
const clock = systemClock();
const payload = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(188) }));
const started = performance.now();
const engine = await sqlite({ path, clock, ballastBytes: 0 });
console.log(`opened in ${(performance.now() - started).toFixed(0)} ms`);
let counter = 0;

function acceptance(): Acceptance {
  const key =
    options.keys === 'random'
      ? crypto.randomUUID()
      : `${clock.now().toString(36)}-${String(counter++).padStart(12, '0')}`;
  const submission = submissionOf({ payload, traceparent: '' }, key, clock.now());
  return { submission, head: fold([submission.submitted]) };
}

/** Submits `count` tasks, `calls` batches per commit, and returns µs per task of the commits alone. */
async function submit(count: number, calls: number): Promise<number> {
  let ms = 0;
  for (let left = count; left > 0; left -= calls * options.batch) {
    const batches = Array.from({ length: calls }, () => Array.from({ length: options.batch }, acceptance));
    const beganMs = performance.now();
    const outcomes = await Promise.all(batches.map((batch) => engine.store.accept(batch)));
    ms += performance.now() - beganMs;
    if (outcomes.flat().some(({ kind }) => kind !== 'fresh')) throw new Error('a key was taken');
  }
  return (ms * 1_000) / count;
}

/** The bytes that this process has given to the file system, or 0 where the system does not count them. */
function writtenBytes(): number {
  if (!existsSync('/proc/self/io')) return 0;
  return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

const { ready } = await engine.store.counts({ tenant: 'acme', queue: 'mail' }, clock.now());
if (ready < options.fill) await submit(options.fill - ready, 16);
const figures: number[] = [];
let cpu = process.cpuUsage();
let written = writtenBytes();
for (let round = 0; round <= options.rounds; round++) {
  const us = await submit(options.tasks, 1);
  if (round > 0) figures.push(us);
  else {
    // The first round warms up.
    cpu = process.cpuUsage();
    written = writtenBytes();
  }
}
const { user, system } = process.cpuUsage(cpu);
const measured = options.tasks * options.rounds;
console.log(
  `${options.keys} keys, ${options.batch} a commit: ${median(figures).toFixed(2)} µs a task ` +
    `(${figures.map((us) => us.toFixed(1)).join(', ')}), ` +
    `CPU ${((user + system) / measured).toFixed(2)} µs, ${((writtenBytes() - written) / measured).toFixed(0)} B written, ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`,
);
await engine.close();
rmSync(folder, { recursive: true });
