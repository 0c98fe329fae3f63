import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { checkStore } from '../check/check-store.ts';
import { sqlite } from '../index.ts';

const moduleAt = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/**
 * Code of a process that submits tasks without end, few with ascending keys and most with random ones, and prints each key
 * and id after its call was answered. It keeps few hashes in memory, so that most commits write some.
 */
const busy = (path: string, run: number) => `
  import { writeSync } from 'node:fs';
  import { StoreFixture } from ${moduleAt('../../../../test/contract/store-fixture.ts')};
  import { sqlite } from ${moduleAt('../index.ts')};
  import { virtualClock } from ${moduleAt('../../../testing/virtual-clock.ts')};
  const clock = virtualClock();
  const hashedKeys = { recent: 300, tasks: 3_000 };
  const engine = await sqlite({ path: ${JSON.stringify(path)}, clock, ballastBytes: 0, hashedKeys });
  const fixture = new StoreFixture({ engine, clock });
  const submit = async (keyOf) => {
    const tasks = await fixture.acceptMany(100, (i) => ({ key: keyOf(i) }));
    writeSync(1, tasks.map(({ id, submission }) => submission.scope.key + ' ' + id + '\\n').join(''));
  };
  for (let call = 0; call < 11; call++) await submit((i) => 'ascending ' + String(${run} * 10_000 + call * 100 + i).padStart(9, '0'));
  await Promise.all([1, 2, 3].map(async () => { for (;;) await submit(() => crypto.randomUUID()); }));
`;

it('a process that is killed while it submits tasks with random keys forgets no key that it had acknowledged', {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-crash-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'queue.db');
  const acknowledged = new Map<string, string>();
  for (const [run, afterLines] of [1_500, 2_600, 4_000].entries()) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', busy(path, run)], {
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
      const at = line.lastIndexOf(' ');
      acknowledged.set(line.slice(0, at), line.slice(at + 1));
    }
    const clock = virtualClock();
    const engine = await sqlite({ path, clock, ballastBytes: 0 });
    const fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
    const keys = [...acknowledged.keys()];
    const found: (string | undefined)[] = [];
    for (let from = 0; from < keys.length; from += 100) {
      const batch = keys.slice(from, from + 100).map((key) => fixture.acceptance({ key }));
      for (const outcome of await engine.store.accept(batch))
        found.push(outcome.kind === 'existing' ? outcome.snapshot.id : undefined);
    }
    await engine.close();
    expect(found).toEqual([...acknowledged.values()]);
    expect(checkStore(path)).toEqual([]);
  }
  expect(acknowledged.size).toBeGreaterThan(8_000);
});
