/** Tests commands whose reader ends before they do. */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { free, project, start } from './command-server.ts';
import { startExplainedServer } from './explained-server.ts';

it('a verb whose output nobody reads any more ends with status 0 and without an error', async () => {
  const server = await startExplainedServer(systemClock());
  for (const key of ['a', 'b']) await server.command('submit', 'note', '1', '--key', key);
  const following = start(['list', '--follow', '--url', server.url, '--json']);
  await following.until(/"idempotencyKey":"b"/);
  following.child.stdout?.destroy();
  await server.command('submit', 'note', '1', '--key', 'c');
  expect(await following.exit).toBe(0);
  expect(following.err).toBe('');
  await server.close();
});

it('a server goes on when nobody reads its output any more', async () => {
  const serving = start(['serve', '--plaintext', '--store', 'memory:', ...free], {
    cwd: project(),
    env: { HOLDFAST_LOG: 'info' },
  });
  const [, port] = await serving.until(/gRPC on 127\.0\.0\.1:(\d+)/);
  serving.child.stdout?.destroy();
  serving.child.stderr?.destroy();
  const submit = ['submit', 'note', '1', '--url', `holdfast+plaintext://127.0.0.1:${port}`];
  for (let i = 0; i < 3; i++) expect(await start(submit).exit).toBe(0);
  serving.signal('SIGTERM');
  expect(await serving.exit).toBe(0);
});
