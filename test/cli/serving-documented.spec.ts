/** Runs the commands of docs/serving.md as they are written, on free ports. */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { readPolicy } from '../../src/rpc/auth/read-policy.ts';
import { project, type Started, start, within } from './command-server.ts';

vi.setConfig({ testTimeout: 40_000 });

const page = readFileSync(new URL('../../docs/serving.md', import.meta.url), 'utf8');
const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const buf = new URL('../../node_modules/.bin/buf', import.meta.url).pathname;

/** Returns the first code block of this kind after a heading of docs/serving.md. */
function block(heading: string, kind: string): string {
  const after = page.split(`\n${heading}\n`)[1] ?? '';
  const found = new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\`\`\``).exec(after)?.[1];
  if (found === undefined) throw new Error(`no ${kind} below '${heading}'`);
  return found;
}

function localScript(script: string, ports?: Ports): string {
  return script
    .replaceAll('npx holdfast', `'${process.execPath}' '${main}'`)
    .replaceAll('npx buf', `'${buf}'`)
    .replaceAll(':7433', `:${ports?.grpcPort}`)
    .replaceAll(':7480', `:${ports?.httpPort}`);
}

interface Ports {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly store: string;
}

async function shell(cwd: string, script: string): Promise<string> {
  return (await promisify(execFile)('bash', ['-euc', script], { cwd })).stdout;
}

async function serve(cwd: string, ...argv: string[]): Promise<Started & Ports> {
  const server = start(['serve', '--json', '--port', '0', '--http-port', '0', ...argv], { cwd });
  await server.until(/"grpcPort".*\n/);
  return Object.assign(server, JSON.parse(server.out) as Ports);
}

/** The arguments after `npx holdfast serve` in docs/serving.md. */
const serveArguments = block('## The server', 'sh').replaceAll('\\\n', ' ').trim().split(/\s+/).slice(3);

it('docs/serving.md: the commands for certificates, server, submit, curl and buf curl work as written', async () => {
  const cwd = project({ 'policy.json': block('### Who may do what', 'json') });
  await shell(cwd, localScript(block('## Certificates', 'sh')));
  const server = await serve(cwd, ...serveArguments);
  expect(server.store).toBe(join(cwd, 'queue.db'));
  const clients = localScript(block('### Clients', 'sh'), server);
  const api = page.slice(page.indexOf('## The API by curl'));
  const [called = '', bufCurl = ''] = [...api.matchAll(/```sh\n([\s\S]*?)```/g)].map((found) => found[1]);
  const out = await shell(cwd, clients + localScript(called, server) + localScript(bufCurl, server));
  const answers = out.split('\n').filter((line) => /^\{.*\}$/.test(line));
  const [submitted, byKey, queues, paused, resumed, redriven, workers] = answers.map((line) =>
    JSON.parse(line),
  );
  expect(submitted.task.id).toBe(byKey.task.id);
  expect(atob(byKey.task.spec.payload.bytes)).toBe('{"name":"Ada"}');
  expect(queues.queues).toMatchObject([{ name: 'default' }]);
  expect([paused.queue.paused, resumed.queue.paused ?? false]).toEqual([true, false]);
  expect([redriven, workers]).toEqual([{}, {}]);
  expect(out.slice(out.lastIndexOf('\n{\n'))).toContain(`"id": "${byKey.task.id}"`);
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
});

it('docs/serving.md: the example policy allows operators everything, billing its own queue, and others nothing', () => {
  const cwd = project({ 'policy.json': block('### Who may do what', 'json') });
  const { authorize } = readPolicy(join(cwd, 'policy.json'));
  const permissionsOf = (name: string) =>
    authorize({ name: `spiffe://holdfast.dev/client/${name}`, serial: '1' });
  expect(permissionsOf('ops')).toMatchObject({
    tenants: [],
    queues: [],
    verbs: ['submit', 'work', 'read', 'admin'],
  });
  expect(permissionsOf('billing-eu')).toMatchObject({
    queues: ['billing'],
    verbs: ['submit', 'work', 'read'],
  });
  expect(permissionsOf('other')).toMatchObject({ reason: 'DENIED' });
  expect(permissionsOf('intern')).toMatchObject({ reason: 'CERTIFICATE_REFUSED' });
});

it('docs/serving.md: clients reach a server without TLS by the URL that the page gives', async () => {
  const cwd = project();
  const server = await serve(cwd, '--plaintext');
  const url = `holdfast+plaintext://127.0.0.1:${server.grpcPort}`;
  expect(page).toContain('HOLDFAST_URL=holdfast+plaintext://127.0.0.1:7433');
  const submitted = await within(cwd, 'submit', 'greet', '1', '--key', 'a', '--url', url);
  expect(submitted).toMatchObject({ code: 0 });
  const curl = `curl -sS -H 'content-type: application/json' -d '{"queue":"default"}' http://127.0.0.1:${server.httpPort}`;
  expect(await shell(cwd, `${curl}/holdfast.v1.TaskService/ListTasks`)).toContain('"greet"');
});

it('docs/serving.md: a store has the files that the page lists, can be copied when stopped, and is locked while it runs', async () => {
  const cwd = project();
  const server = await serve(cwd, '--plaintext', '--store', 'file:./queue.db');
  const url = `holdfast+plaintext://127.0.0.1:${server.grpcPort}`;
  const { json } = await within(cwd, 'submit', 'greet', '1', '--json', '--url', url);
  for (const [, file = ''] of page.matchAll(/^\| `(queue\.db\S*)` \|/gm)) {
    expect(existsSync(join(cwd, file)), file).toBe(true);
  }
  expect(statSync(join(cwd, 'queue.db.ballast')).size).toBe(64 * 1_048_576);
  const beside = new DatabaseSync(join(cwd, 'queue.db'));
  expect(() => beside.exec(`VACUUM INTO '${join(cwd, 'hot.db')}'`)).toThrow(/locked/);
  beside.close();
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
  expect(existsSync(join(cwd, 'queue.db-wal'))).toBe(false);
  mkdirSync(join(cwd, 'restored'));
  copyFileSync(join(cwd, 'queue.db'), join(cwd, 'restored/queue.db'));
  const restored = await serve(cwd, '--plaintext', '--store', 'file:./restored/queue.db');
  const again = `holdfast+plaintext://127.0.0.1:${restored.grpcPort}`;
  expect((await within(cwd, 'show', json.id, '--json', '--url', again)).json).toMatchObject({ input: 1 });
});
