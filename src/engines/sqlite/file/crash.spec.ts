import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';

/**
 * Code of a process that submits, claims and settles tasks without end, and prints each step after its call was
 * answered.
 */
const busy = (path: string, mark: string) => `
  import { writeSync } from 'node:fs';
  import { StoreFixture } from ${JSON.stringify(new URL('../../../../test/contract/store-fixture.ts', import.meta.url).href)};
  import { sqlite } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
  import { virtualClock } from ${JSON.stringify(new URL('../../../testing/virtual-clock.ts', import.meta.url).href)};
  const clock = virtualClock();
  const engine = await sqlite({ path: ${JSON.stringify(path)}, clock, ballastBytes: 0, commitMark: ${JSON.stringify(mark)} });
  const fixture = new StoreFixture({ engine, clock });
  const report = (step, id) => writeSync(1, step + ' ' + id + '\\n');
  async function caller(name) {
    for (let i = 0; ; i++) {
      const task = await fixture.accept({ key: name + '-' + i, orderingKey: i % 5 === 0 ? name : undefined });
      report('accepted', task.id);
      if (i % 2 === 0) {
        const running = await fixture.claim(task);
        report('claimed', task.id);
        const done = await fixture.succeed(running, new Uint8Array(100));
        report('succeeded', task.id);
        if (done.head.inLane) await fixture.store.leaveLane(fixture.lane(name), task.id);
      }
    }
  }
  await Promise.all(Array.from({ length: 20 }, (_, i) => caller('caller-' + i)));
`;

const order = ['accepted', 'claimed', 'succeeded'];

it('a process that is killed during its commits loses nothing that it had acknowledged', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  const path = join(folder, 'queue.db');
  const mark = join(folder, 'mark');
  const furthest = new Map<string, number>();
  for (const afterLines of [1, 300, 1_500]) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', busy(path, mark)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.split('\n').length > afterLines) child.kill('SIGKILL');
    });
    await once(child, 'close');
    // The kill may cut off the last line of the process's output, so that line is left out.
    for (const line of output.split('\n').slice(0, -1)) {
      const [step, id] = line.split(' ') as [string, string];
      furthest.set(id, Math.max(order.indexOf(step), furthest.get(id) ?? 0));
    }
    const clock = virtualClock();
    const engine = await sqlite({ path, clock, ballastBytes: 0 });
    const fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
    for (const [id, step] of furthest) {
      const [snapshot] = await fixture.store.read([id], fixture.now);
      const state = snapshot?.head.state;
      const reached = state === undefined ? -1 : ['waiting', 'running', 'succeeded'].indexOf(state);
      expect(reached, `${id} was ${order[step]} and is ${state}`).toBeGreaterThanOrEqual(step);
      if (step === 2) expect(await fixture.store.result(id)).toEqual(new Uint8Array(100));
    }
    expect(furthest.size).toBeGreaterThan(0);
    await engine.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    furthest.clear();
  }
  // The store writes the byte B before each COMMIT and the byte C after it. Each of the three kills may have hit one
  // COMMIT.
  const marks = readFileSync(mark, 'utf8');
  expect(marks.replaceAll('BC', '').length).toBeLessThanOrEqual(3);
  expect(marks.length).toBeGreaterThan(6);
  rmSync(folder, { recursive: true });
});
