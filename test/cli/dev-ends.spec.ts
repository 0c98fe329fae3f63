/** Tests `holdfast dev` when its worker crashes, does not end, or must end at once. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { dev, greet, greets, project, save, within, worker } from './command-server.ts';

const looping = "console.log('looping'); for (;;);";

it('holdfast dev survives a handler that ends its process, and restarts the worker after a growing wait', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', "if (name === 'exit') process.exit(7);") });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'exit');
  await running.until(/error: The worker ended by itself, with exit code 7\.\n.*Restarting it in 1 s/);
  await running.until(/working on greet/);
  await running.until(/ended by itself.*\n.*Restarting it in 2 s/);
});

it('holdfast dev answers while a handler loops, prints a warning, and restarts the worker at a save', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  expect((await within(cwd, 'list')).code).toBe(0);
  await running.until(/The worker has not answered for \d+ s: .*\. Save a file to restart it\./);
  save(cwd, 'worker.ts', worker('Hello'));
  await running.until(/worker\.ts changed: restarting the worker/);
  await running.until(/working on greet/);
  expect(await greet(cwd, 'Bob', '--wait')).toBe('{"greeting":"Hello, Bob!"}\n');
});

it('a killed holdfast dev leaves no worker process behind, not even one whose handler loops', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts');
  const [, pid] = await running.until(/working on greet .*process (\d+)/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  running.signal('SIGKILL');
  await expect.poll(() => isAlive(Number(pid)), { timeout: 4_000 }).toBe(false);
});

it('holdfast dev and its worker end at once at the second signal, with status 130', async () => {
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
  // The timeout is shorter than 1 s, after which the worker would notice the end of its parent process by itself.
  await expect.poll(() => isAlive(Number(pid)), { timeout: 300, interval: 20 }).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
