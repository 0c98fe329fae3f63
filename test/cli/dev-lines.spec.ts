/** Tests the lines of `holdfast dev`: the commands that it suggests, the ends of tasks, taken ports; and its end with its parent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { contract, dev, greet, greets, project, start, within } from './command-server.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;

const mails = {
  'contract.ts': `${contract}
export const mail = defineTask('mail', { input: typed<object>(), queue: 'outbox' });`,
  'worker.ts': `
import { defineWorker, FatalError, handle } from 'holdfast';
import { mail } from './contract.ts';
export default defineWorker({ handlers: [handle(mail, () => { throw new FatalError('no such address'); })] });`,
};

it('holdfast dev suggests commands with the queue of the worker, which work as printed', async () => {
  const cwd = project(mails);
  const running = dev(cwd, 'worker.ts');
  const [, words = ''] = await running.until(/ {2}npx holdfast (submit mail '\{\}' --queue outbox --wait)\n/);
  await running.until(/-d '\{"queue":"outbox"\}'/);
  const submitted = await within(cwd, ...words.replaceAll("'", '').split(' '));
  expect(submitted.err).toContain('dead (reason: fatal): no such address');
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
});

it('holdfast dev prints a line for each task that ends, and for a failure the next command', async () => {
  const cwd = project(greets);
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  await greet(cwd, 'Ada', '--wait');
  await running.until(/^succeeded {2}greet \S+ {2}\d+ ms after its submission$/m);
  await greet(cwd, 'nobody', '--wait');
  const [, id] = await running.until(
    /^dead {7}greet (\S+) {2}fatal: there is nobody {2}next: npx holdfast why \1$/m,
  );
  const { json } = await within(cwd, 'submit', 'later', '1', '--json');
  await within(cwd, 'cancel', json.id, '--reason', 'a typo');
  await running.until(new RegExp(`^cancelled  later ${json.id}  a typo$`, 'm'));
  expect((await within(cwd, 'why', id ?? '')).code).toBe(0);
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
});

/** Listens on a port of this machine, if no other program does. */
function occupy(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(server));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

it('holdfast dev takes the next free port if a usual one is taken, says so, and writes it to the profile', async () => {
  const servers = [await occupy(7433), await occupy(7480)];
  onTestFinished(() => servers.forEach((one) => void one.close()));
  const cwd = project();
  const running = start(['dev'], { cwd });
  const [, grpc] = await running.until(/^Port 7433 is in use: gRPC is on (\d+) instead\.$/m);
  const [, http] = await running.until(/^Port 7480 is in use: HTTP is on (\d+) instead\.$/m);
  await running.until(new RegExp(`gRPC on 127.0.0.1:${grpc}, HTTP on 127.0.0.1:${http}\n`));
  expect((await within(cwd, 'submit', 'note', '1')).code).toBe(0);
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
});

it('holdfast dev ends in order when the process that started it is killed', async () => {
  const cwd = project(greets);
  const program = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ${JSON.stringify([main, 'dev', 'worker.ts', '--port', '0', '--http-port', '0'])}, { stdio: 'inherit' });
    console.log('pid', child.pid);
    setInterval(() => {}, 1000);`;
  const parent: ChildProcess = spawn(process.execPath, ['-e', program], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  const ended = new Promise<void>((resolve) => parent.stdout?.once('close', () => resolve()));
  parent.stdout?.on('data', (data) => {
    out += data;
  });
  parent.stderr?.on('data', (data) => {
    out += data;
  });
  await expect.poll(() => out, { timeout: 30_000 }).toMatch(/working on greet/);
  const pid = Number(/pid (\d+)/.exec(out)?.[1]);
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  parent.kill('SIGKILL');
  await ended;
  expect(out).toContain('draining: worker.ts may finish its running tasks');
  expect(existsSync(join(cwd, '.holdfast/queue.db.pid'))).toBe(false);
});
