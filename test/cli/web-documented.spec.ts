/** Runs the servers of docs/web.md and the calls by curl, as they are written, on a free port. */
import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { documentedPrograms } from '../fixtures/documented-programs.ts';
import { project, startNode } from './command-server.ts';

vi.setConfig({ testTimeout: 40_000 });

const page = readFileSync(new URL('../../docs/web.md', import.meta.url), 'utf8');
const modules = new URL('../../node_modules', import.meta.url).pathname;

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(typeof address === 'object' ? address?.port : undefined);
}

it.each(['node-server.ts', 'hono-server.ts'])(
  'docs/web.md: %s answers the calls by curl as written',
  async (name) => {
    const port = await freePort();
    const programs = Object.entries(documentedPrograms('web.md'));
    const cwd = project(
      Object.fromEntries(programs.map(([file, code]) => [file, code.replace('8080', port)])),
    );
    symlinkSync(modules, join(cwd, 'node_modules'));
    await startNode([name], { cwd }).until(/listening/);
    const script = /```sh\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const { stdout } = await promisify(execFile)('bash', ['-euc', script.replaceAll('8080', port)], { cwd });
    const [accepted = '', ...rest] = stdout.split(/(?=\{"title")/);
    expect(accepted).toMatch(
      /^HTTP\/1.1 202 [\s\S]*location: \/tasks\/1\.\w+\r\n[\s\S]*"deduplicated":false/i,
    );
    expect(rest.join('')).toMatch(/"status":409[\s\S]*"reason":"KEY_REUSED","taskId":"1\.\w+"/);
    expect(stdout).toMatch(/id: 1\ndata: \{"version":1,"kind":"submitted"[\s\S]*"kind":"succeeded"/);
    expect(stdout).toMatch(/"state":"succeeded"[^\n]*"result":\{"greeting":"Hello, Ada!"\}\}\n*$/);
  },
);
