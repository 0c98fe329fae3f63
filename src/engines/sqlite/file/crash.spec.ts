import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Bench } from '../../../../test/contract/store-fixture.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';

/** Submits, claims and settles without end, and writes down what was answered, after it was. */
const busy = (path: string, mark: string) => `
  import { writeSync } from 'node:fs';
  import { Bench } from ${JSON.stringify(new URL('../../../../test/contract/store-fixture.ts', import.meta.url).href)};
  import { sqlite } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
  import { virtualClock } from ${JSON.stringify(new URL('../../../testing/virtual-clock.ts', import.meta.url).href)};
  const clock = virtualClock();
  const engine = await sqlite({ path: ${JSON.stringify(path)}, clock, ballastBytes: 0, commitMark: ${JSON.stringify(mark)} });
  const bench = new Bench({ engine, clock });
  const say = (what, id) => writeSync(1, what + ' ' + id + '\\n');
  async function caller(name) {
    for (let i = 0; ; i++) {
      const task = await bench.accept({ key: name + '-' + i, orderingKey: i % 5 === 0 ? name : undefined });
      say('accepted', task.id);
      if (i % 2 === 0) {
        const running = await bench.claim(task);
        say('claimed', task.id);
        const done = await bench.succeed(running, new Uint8Array(100));
        say('succeeded', task.id);
        if (done.head.inLane) await bench.store.leave(bench.lane(name), task.id);
      }
    }
  }
  await Promise.all(Array.from({ length: 20 }, (_, i) => caller('caller-' + i)));
`;

const order = ['accepted', 'claimed', 'succeeded'];

it('a process that is killed in the midst of its commits loses nothing that it had answered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  const path = join(folder, 'queue.db');
  const mark = join(folder, 'mark');
  const furthest = new Map<string, number>();
  for (const afterLines of [1, 300, 1_500]) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', busy(path, mark)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.split('\n').length > afterLines) child.kill('SIGKILL');
    });
    await once(child, 'close');
    // A line that was cut off was not said.
    for (const line of said.split('\n').slice(0, -1)) {
      const [what, id] = line.split(' ') as [string, string];
      furthest.set(id, Math.max(order.indexOf(what), furthest.get(id) ?? 0));
    }
    // The next one begins with other keys.
    const clock = virtualClock();
    const engine = await sqlite({ path, clock, ballastBytes: 0 });
    const bench = new Bench({ engine, clock, reopen: async () => engine });
    for (const [id, place] of furthest) {
      const [snapshot] = await bench.store.read([id], bench.now);
      const state = snapshot?.head.state;
      const reached = state === undefined ? -1 : ['waiting', 'running', 'succeeded'].indexOf(state);
      expect(reached, `${id} was ${order[place]} and is ${state}`).toBeGreaterThanOrEqual(place);
      if (place === 2) expect(await bench.store.result(id)).toEqual(new Uint8Array(100));
    }
    expect(furthest.size).toBeGreaterThan(0);
    await engine.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    furthest.clear();
  }
  // Each COMMIT is between its two bytes, but for the three that may have been killed inside of one.
  const marks = readFileSync(mark, 'utf8');
  expect(marks.replaceAll('BC', '').length).toBeLessThanOrEqual(3);
  expect(marks.length).toBeGreaterThan(6);
  rmSync(folder, { recursive: true });
});
