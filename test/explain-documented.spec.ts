/** Runs the program of docs/explain.md, and reads its variables as the command does. */
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { backendOf, logKinds, traceKinds } from '../src/cli/explain/backends/config.ts';
import { traceLinks } from '../src/cli/explain/links.ts';
import { node, project } from './cli/command-server.ts';

vi.setConfig({ testTimeout: 40_000 });

const page = readFileSync(new URL('../docs/explain.md', import.meta.url), 'utf8');

/** Returns the first code block of this kind after a heading of docs/explain.md. */
function block(heading: string, kind: string): string {
  const after = page.split(`\n${heading}\n`)[1] ?? '';
  const found = new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\`\`\``).exec(after)?.[1];
  if (found === undefined) throw new Error(`no ${kind} below '${heading}'`);
  return found;
}

it('the program of docs/explain.md prints what the page says', async () => {
  const cwd = project({ 'explain.ts': block('## In a program', 'ts') });
  expect(await node(cwd, 'explain.ts')).toBe(block('## In a program', 'text'));
});

it('the variables of docs/explain.md are read as the page says', () => {
  const lines = block('## Traces and log lines', 'sh').trim().split('\n');
  const env = Object.fromEntries(
    lines.map((line) => /^export (\w+)='?(.*?)'?$/.exec(line)?.slice(1) as [string, string]),
  );
  expect(backendOf(env, 'HOLDFAST_TRACES')).toMatchObject({ kind: 'jaeger', url: 'http://127.0.0.1:16686' });
  expect(backendOf(env, 'HOLDFAST_LOGS')).toMatchObject({
    ...{ kind: 'victorialogs', url: 'http://127.0.0.1:9428' },
    headers: { authorization: 'Basic YW5uOnNlY3JldA==' },
  });
  expect(traceLinks(env.HOLDFAST_TRACE_LINK, 'abc')).toEqual({
    links: [{ name: 'jaeger', url: 'http://127.0.0.1:16686/trace/abc' }],
    faults: [],
  });
  for (const kind of [...traceKinds, ...logKinds]) expect(page).toContain(`\`${kind}+http://host:port\``);
});
