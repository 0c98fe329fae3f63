import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Server } from './server.ts';

function serverOf(source: string): Server {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const command = join(folder, 'command.mjs');
  writeFileSync(command, source);
  const server = new Server({ name: 'server', port: 1, args: [], env: {}, command });
  onTestFinished(() => server.kill());
  return server;
}

it('a server that is to refuse its store has not ended by itself when it does, and the error is returned', async () => {
  const refusing = `console.log(JSON.stringify({ error: { reason: 'SCHEMA_NEWER' } })); process.exitCode = 4;`;
  const server = serverOf(refusing);
  expect(await server.refusal()).toContain('SCHEMA_NEWER');
  expect([server.status, server.endedByItself]).toEqual([4, 0]);
  await expect(server.start()).rejects.toThrow('SCHEMA_NEWER');
  await expect.poll(() => server.endedByItself).toBe(1);
});

it('a server that is to refuse its store and serves is one that may not end by itself', async () => {
  const server = serverOf(`console.log('{}'); setTimeout(() => {}, 200);`);
  expect(await server.refusal()).toBeUndefined();
  await expect.poll(() => server.endedByItself, { timeout: 5_000 }).toBe(1);
});
