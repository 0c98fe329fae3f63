/** What `holdfast dev` does when its worker ends badly, does not end, or must end at once. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { dev, greet, greets, project, save, within, worker } from './command-server.ts';

const looping = "console.log('looping'); for (;;);";

it('outlives a handler that ends the process, and starts the worker anew after a while', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', "if (name === 'exit') process.exit(7);") });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'exit');
  await running.until(/error: The worker ended by itself, with exit code 7\.\n.*anew in 1 s/);
  await running.until(/working on greet/);
  await running.until(/ended by itself.*\n.*anew in 2 s/);
});

it('outlives a handler that never ends: answers meanwhile, tells of it, and starts anew at a save', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  expect((await within(cwd, 'list')).code).toBe(0);
  await running.until(/The worker has not answered for \d+ s: .*\. Save a file to start it anew\./);
  save(cwd, 'worker.ts', worker('Hello'));
  await running.until(/worker\.ts changed: starting the worker anew/);
  await running.until(/working on greet/);
  expect(await greet(cwd, 'Bob', '--wait')).toBe('{"greeting":"Hello, Bob!"}\n');
});

it('leaves no process behind when it is killed, not even one that loops', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts');
  const [, pid] = await running.until(/working on greet .*process (\d+)/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  running.signal('SIGKILL');
  await expect.poll(() => isAlive(Number(pid)), { timeout: 4_000 }).toBe(false);
});

it('ends at once at the second signal: status 130, and the worker with it', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts');
  const [, pid] = await running.until(/working on greet .*process (\d+)/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  running.signal('SIGTERM');
  await running.until(/draining/);
  const exit = once(running.child, 'exit');
  running.signal('SIGTERM');
  expect(await exit).toEqual([130, null]);
  // Sooner than the worker would notice by itself.
  await expect.poll(() => isAlive(Number(pid)), { timeout: 300, interval: 20 }).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
