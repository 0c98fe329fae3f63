/** Tests `holdfast doctor` beside a running `holdfast dev`, without one, and with wrong settings. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dev, project, start } from './command-server.ts';

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly help?: string;
}

/** Runs the command as a process, since it sets the exit status of its process. */
async function doctor(cwd: string, ...argv: readonly string[]) {
  const env = { HOLDFAST_URL: '', HOLDFAST_CA: '', HOLDFAST_CERT: '', HOLDFAST_KEY: '' };
  const ran = start(['doctor', '--json', ...argv], { cwd, env });
  const code = await ran.exit;
  const { findings } = JSON.parse(ran.out) as { readonly findings: readonly Finding[] };
  return { code, of: (name: string) => findings.find((one) => one.name === name) };
}

it('holdfast doctor finds nothing wrong beside a running `holdfast dev`, and an unreachable server after its end', async () => {
  const cwd = project();
  const running = dev(cwd);
  await running.until(/holdfast is ready/);
  const well = await doctor(cwd);
  expect(well.code).toBe(0);
  expect(well.of('certificates')?.message).toMatch(/is valid for another \d+ d\.$/);
  expect(well.of('server')?.message).toContain('answers');
  expect(well.of('file')?.message).toContain('is held by process');
  expect(well.of('versions')?.message).toMatch(/^Holdfast \S+ on Node \S+\.$/);
  running.signal('SIGTERM');
  await running.exit;
  const away = await doctor(cwd);
  expect(away.code).toBe(1);
  expect(away.of('server')).toMatchObject({ ok: false, help: expect.stringMatching(/./) });
  expect(away.of('file')?.message).toContain('is whole');
});

it('holdfast doctor says how to mend a missing configuration, a broken certificate and a damaged store', async () => {
  const cwd = project();
  const nothing = await doctor(cwd);
  expect(nothing.code).toBe(1);
  expect(nothing.of('certificates')).toMatchObject({
    ok: false,
    help: expect.stringContaining('npx holdfast dev'),
  });
  expect(nothing.of('file')).toMatchObject({ ok: false, help: expect.stringContaining('--store') });
  writeFileSync(join(cwd, 'ca.crt'), 'no certificate');
  const flags = ['--tls-ca', 'ca.crt', '--tls-cert', 'ca.crt', '--tls-key', 'ca.crt'];
  const broken = await doctor(cwd, '--url', 'holdfast://127.0.0.1:1', ...flags);
  expect(broken.of('certificates')).toMatchObject({ ok: false, help: expect.stringMatching(/./) });
  writeFileSync(join(cwd, 'queue.db'), 'SQLite format 3\u0000');
  appendFileSync(join(cwd, 'queue.db'), 'x'.repeat(10_000));
  const damaged = await doctor(cwd, '--store', 'queue.db');
  expect(damaged.of('file')).toMatchObject({ ok: false, message: expect.stringMatching(/./) });
});

it('holdfast doctor --table says how to mend a table that cannot be read', async () => {
  const env = [
    '--region',
    'eu-central-1',
    '--endpoint-dynamodb',
    'http://127.0.0.1:1',
    '--endpoint-sqs',
    'http://127.0.0.1:1',
  ];
  const away = await doctor(project(), '--table', 'jobs', ...env);
  expect(away.code).toBe(1);
  expect(away.of('table')).toMatchObject({ ok: false, help: expect.stringMatching(/./) });
  expect(away.of('server')).toBeUndefined();
});
