/** Tests `holdfast dev` when its worker crashes, does not end, or must end at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { dev, greet, greets, project, save, within, worker } from './command-server.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const looping = "console.log('looping'); for (;;);";

it('holdfast dev survives a handler that ends its process, and restarts the worker after a growing wait', async () => {
  const cwd = project({
    ...greets,
    'worker.ts': worker('Hello', "if (name.startsWith('exit')) process.exit(7);"),
  });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'exit');
  await running.until(
    /error: The worker ended by itself, with exit code 7\.\n {2}It (?:ran|held, and may have begun,) 1 task: 1-\w+ \(greet\)\. .*Restarting it in 1 s/,
  );
  await running.until(/working on greet/);
  // The first task runs again only when its lease is over.
  await greet(cwd, 'exit again');
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
  await expect.poll(() => isAlive(Number(pid)), { timeout: 800, interval: 20 }).toBe(false);
});

const holds = `import { createServer } from 'node:net';
setInterval(() => {}, 1_000);
createServer().listen(0, '127.0.0.1');`;

it.each([
  ['ignores its signals', "console.log('begun'); await new Promise(() => {});"],
  ['blocks its thread since the drain began', "console.log('begun'); await aborted(stopping); for (;;);"],
])(
  'holdfast dev and its worker end with status 0 after the drain although a handler %s and the module holds a timer and a server',
  async (_, body) => {
    const aborted =
      "const aborted = (signal: AbortSignal) => new Promise((resolve) => signal.addEventListener('abort', resolve));";
    const source = worker('Hello', body).replace('async ({ name })', 'async ({ name }, { stopping })');
    const cwd = project({ ...greets, 'worker.ts': `${holds}\n${aborted}\n${source}` });
    const running = dev(cwd, 'worker.ts', '--drain', '1s');
    const [, pid] = await running.until(/working on greet .*process (\d+)/);
    await greet(cwd, 'Ada');
    await running.until(/begun/);
    running.signal('SIGINT');
    expect(await running.exit).toBe(0);
    expect(isAlive(Number(pid))).toBe(false);
  },
);

it('holdfast dev kills a worker whose handler loops, long before the end of the drain, and ends with status 0', async () => {
  const cwd = project({ ...greets, 'worker.ts': worker('Hello', looping) });
  const running = dev(cwd, 'worker.ts', '--drain', '1h');
  const [, pid] = await running.until(/working on greet .*process (\d+)/);
  await greet(cwd, 'Ada');
  await running.until(/looping/);
  running.signal('SIGINT');
  expect(await running.exit).toBe(0);
  expect(isAlive(Number(pid))).toBe(false);
});

it('a handler learns by context.stopping of the restart of its worker at a save, and the new worker runs its task', async () => {
  const body = `if (name === 'Ada') {
    console.log('begun');
    await new Promise((resolve) => stopping.addEventListener('abort', resolve));
    stopping.throwIfAborted();
  }`;
  const source = worker('Hello', body).replace('async ({ name })', 'async ({ name }, { stopping })');
  const cwd = project({ ...greets, 'worker.ts': source });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'Ada');
  await running.until(/begun/);
  save(cwd, 'worker.ts', worker('Hello', "console.log('run again');"));
  await running.until(/run again/);
});

it('holdfast dev and its worker end when the shell is gone through which npx started them', async () => {
  const cwd = project(greets);
  // npx passes a SIGTERM to its shell, which ends without passing it on.
  const command = `"${process.execPath}" "${main}" dev worker.ts --port 0 --http-port 0 & wait`;
  const shell = spawn('sh', ['-c', command], {
    cwd,
    env: { ...process.env, npm_lifecycle_event: 'npx', npm_lifecycle_script: "'holdfast' 'dev'" },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let printed = '';
  shell.stderr.on('data', (data: Buffer) => {
    printed += data;
  });
  const workerPid = () => Number(/working on greet .*process (\d+)/.exec(printed)?.[1]);
  await expect.poll(workerPid).toBeGreaterThan(0);
  const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${workerPid()}/status`, 'utf8'));
  const devPid = Number(parent?.[1]);
  onTestFinished(() => {
    for (const pid of [shell.pid ?? 0, devPid, workerPid()]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  shell.kill('SIGTERM');
  await expect.poll(() => isAlive(devPid)).toBe(false);
  expect(isAlive(workerPid())).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
