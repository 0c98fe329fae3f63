// The folders are the architecture, and the linter holds it. A lint rule that silently matches nothing looks the same
// as one that is obeyed, so each rule is shown an offender here, and the allowed imports are shown to pass. All
// files are written to a scratch project with our own biome.json and judged in one run of Biome.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const imports = 'style/noRestrictedImports';
const globals = 'style/noRestrictedGlobals';
const cycles = 'suspicious/noImportCycles';
const hidden = 'plugin';

interface Case {
  readonly sentence: string;
  readonly path: string;
  readonly source: string;
  /** The rules that must speak, or none. */
  readonly rules: readonly string[];
}

const cases: Case[] = [];
const scratch: { dir?: string; found: Map<string, string[]> } = { found: new Map() };

function add(sentence: string, folder: string, line: string, ...rules: readonly string[]): void {
  cases.push({ sentence, path: `src/${folder}/case${cases.length}.ts`, source: `${line}\n`, rules });
}
const refuses = (folder: string, what: string, target: string): void =>
  add(`${folder} may not import ${what}`, folder, `export * from '${target}';`, imports);
const allows = (folder: string, what: string, target: string): void =>
  add(`${folder} may import ${what}`, folder, `export * from '${target}';`);

for (const folder of [
  'ports',
  'service',
  'runtime',
  'engines/sqlite',
  'rpc',
  'client',
  'telemetry',
  'cli',
  'platform',
]) {
  refuses('core', folder, `../${folder}/thing.ts`);
}
refuses('core', 'the composition root', '../server.ts');
refuses('core', 'a part of the composition root', '../opening/thing.ts');
refuses('core', 'the public entry', '../index.ts');
refuses('core', 'a Node module', 'node:fs');
refuses('core', 'a Node module below another', 'node:fs/promises');
refuses('core/codec', 'a port, from a folder of its own either', '../../ports/task-store.ts');
add(
  'core may not import a type from the outside either',
  'core',
  "export type { A } from '../ports/a.ts';",
  imports,
);
add('core may not import lazily', 'core', "export const a = () => import('../ports/a.ts');", imports);
allows('core/codec', 'core', '../event.ts');

for (const folder of ['service', 'runtime', 'engines/sqlite', 'rpc', 'client', 'cli']) {
  refuses('ports', folder, `../${folder}/thing.ts`);
}
allows('ports', 'core', '../core/event.ts');

for (const folder of ['runtime', 'engines/aws', 'rpc', 'client', 'cli', 'testing']) {
  refuses('service', folder, `../${folder}/thing.ts`);
}
allows('service', 'core', '../core/event.ts');
allows('service', 'ports', '../ports/task-store.ts');

for (const folder of ['engines/memory', 'rpc', 'client', 'cli', 'testing']) {
  refuses('runtime', folder, `../${folder}/thing.ts`);
}
allows('runtime', 'ports', '../ports/task-store.ts');
allows('runtime', 'service', '../service/service.ts');

for (const engine of ['sqlite', 'aws', 'memory']) {
  for (const other of ['sqlite', 'aws', 'memory'].filter((name) => name !== engine)) {
    refuses(`engines/${engine}`, `engines/${other}`, `../${other}/task-store.ts`);
  }
  for (const folder of ['service', 'runtime', 'rpc', 'client', 'cli']) {
    refuses(`engines/${engine}`, folder, `../../${folder}/thing.ts`);
  }
  allows(`engines/${engine}`, 'core', '../../core/event.ts');
  allows(`engines/${engine}`, 'ports', '../../ports/task-store.ts');
  allows(`engines/${engine}`, 'its own files', './schema.ts');
}

for (const folder of ['runtime', 'engines/sqlite', 'client', 'cli', 'testing']) {
  refuses('rpc', folder, `../${folder}/thing.ts`);
}
allows('rpc', 'core', '../core/errors.ts');
allows('rpc', 'ports', '../ports/clock.ts');
allows('rpc', 'service', '../service/service.ts');
allows('rpc/api', 'its generated code', '../gen/holdfast/v1/task_pb.ts');

for (const folder of ['service', 'runtime', 'engines/sqlite', 'cli', 'testing', 'telemetry']) {
  refuses('client', folder, `../${folder}/thing.ts`);
}
refuses('client', 'the composition root', '../server.ts');
refuses('client', 'a part of the composition root', '../opening/thing.ts');
refuses('client', 'rpc beside its generated code', '../rpc/api/api.ts');
refuses('client', 'a port other than the clock', '../ports/task-store.ts');
allows('client', 'core', '../core/errors.ts');
allows('client', 'the clock port', '../ports/clock.ts');
allows('client', 'the generated code of rpc', '../rpc/gen/holdfast/v1/task_pb.ts');

for (const folder of ['service', 'engines/sqlite', 'rpc']) {
  refuses('telemetry', folder, `../${folder}/thing.ts`);
  refuses('platform', folder, `../${folder}/thing.ts`);
}
allows('platform', 'the clock port that it implements', '../ports/clock.ts');

for (const folder of ['service', 'runtime', 'engines/sqlite', 'rpc', 'client']) {
  allows('cli', folder, `../${folder}/thing.ts`);
  allows('testing', folder, `../${folder}/thing.ts`);
}

for (const folder of [
  'core',
  'ports',
  'service',
  'runtime',
  'engines/sqlite',
  'engines/aws',
  'engines/memory',
]) {
  const up = folder.includes('/') ? '../..' : '..';
  refuses(folder, 'the development authority', `${up}/certs/authority.ts`);
  refuses(folder, 'what reads certificate files', `${up}/tls/load.ts`);
}
for (const folder of [
  'client',
  'client/grpc',
  'rpc',
  'rpc/api',
  'rpc/tls',
  'rpc/server',
  'platform',
  'telemetry',
  'tls',
]) {
  const up = folder.includes('/') ? '../..' : '..';
  refuses(folder, 'the development authority', `${up}/certs/authority.ts`);
}
for (const folder of ['rpc', 'client', 'service', 'platform', 'cli']) {
  refuses('tls', folder, `../${folder}/thing.ts`);
  refuses('certs', folder, `../${folder}/thing.ts`);
}
allows('certs', 'what reads certificate files', '../tls/load.ts');
allows('certs', 'core', '../core/errors.ts');
allows('client/grpc', 'what reads certificate files', '../../tls/load.ts');
allows('rpc/tls', 'what reads certificate files', '../../tls/load.ts');
allows('cli/verbs', 'the development authority', '../../certs/authority.ts');

const timers = ['setTimeout', 'setInterval', 'setImmediate', 'performance'];
for (const folder of ['core', 'service', 'engines/aws', 'client']) {
  for (const name of timers)
    add(`${folder} may not use ${name}`, folder, `export const a = ${name};`, globals);
}
for (const name of ['setTimeout', 'setInterval', 'performance']) {
  add(`engines/sqlite may not use ${name}`, 'engines/sqlite', `export const a = ${name};`, globals);
}
add('engines/sqlite may gather a turn by setImmediate', 'engines/sqlite', 'export const a = setImmediate;');
for (const name of timers) {
  add(`platform may use ${name}`, 'platform', `export const a = ${name};`);
  add(`cli may use ${name}`, 'cli', `export const a = ${name};`);
}

const hiddenTime: Readonly<Record<string, string>> = {
  'Date.now()': 'export const a = Date.now();',
  'new Date()': 'export const a = new Date();',
  'Date.now, uncalled': 'export const a = { now: Date.now };',
  'globalThis.setTimeout': 'export const a = globalThis.setTimeout;',
  'AbortSignal.timeout': 'export const a = AbortSignal.timeout(1);',
  'process.hrtime': 'export const a = process.hrtime.bigint();',
  'timers by import': "export { setTimeout as a } from 'node:timers/promises';",
  'timers by a lazy import': "export const a = () => import('node:timers');",
  perf_hooks: "import { performance as a } from 'node:perf_hooks';\nexport const b = a;",
  'Math.random': 'export const a = Math.random();',
  'crypto.randomUUID': 'export const a = crypto.randomUUID();',
  'crypto.getRandomValues': 'export const a = crypto.getRandomValues(new Uint8Array(1));',
  'randomUUID by import':
    "import { createHash, randomUUID } from 'node:crypto';\nexport const a = [createHash, randomUUID];",
  'randomBytes by a renaming import':
    "import { randomBytes as b } from 'node:crypto';\nexport const a = b(1);",
  'randomInt of the whole module': "import crypto from 'node:crypto';\nexport const a = crypto.randomInt(2);",
};
for (const [what, source] of Object.entries(hiddenTime)) {
  add(`service may not reach for time or chance: ${what}`, 'service', source, hidden);
  add(`platform may reach for time and chance: ${what}`, 'platform', source);
}
add(
  'a date that is given may be formatted',
  'service',
  'export const a = (ms: number): Date => new Date(ms);',
);
add(
  'hashes are not chance',
  'service',
  "import { createHash } from 'node:crypto';\nexport const a = createHash('sha256');",
);

cases.push(
  {
    sentence: 'a spec may use timers and import anything',
    path: 'src/core/case.spec.ts',
    rules: [],
    source:
      "export * from '../engines/memory/store.ts';\nexport const a = [setTimeout, Date.now(), Math.random()];\n",
  },
  {
    sentence: 'generated code is not judged',
    path: 'src/rpc/gen/case_pb.ts',
    rules: [],
    source: 'var a = Math.random()\nexport { a }\n',
  },
  {
    sentence: 'two files may not import each other',
    path: 'src/service/cycle-a.ts',
    rules: [cycles],
    source: "import { b } from './cycle-b.ts';\nexport const a = () => b;\n",
  },
  {
    sentence: 'nor the other way round',
    path: 'src/service/cycle-b.ts',
    rules: [cycles],
    source: "import { a } from './cycle-a.ts';\nexport const b = () => a;\n",
  },
  {
    sentence: 'two files may not import each other for types',
    path: 'src/service/types-a.ts',
    rules: [cycles],
    source: "import type { B } from './types-b.ts';\nexport type A = { b: B };\n",
  },
  {
    sentence: 'nor the other way round for types',
    path: 'src/service/types-b.ts',
    rules: [cycles],
    source: "import type { A } from './types-a.ts';\nexport type B = { a: A };\n",
  },
);

/** Which rules of the architecture Biome named, by file. */
function rulesByFile(report: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of report.split('\n')) {
    const match = /^::error title=(?:lint\/)?([^,]+),file=([^,]+),/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    if (![imports, globals, cycles, hidden].includes(match[1])) continue;
    const path = match[2].slice(match[2].indexOf('src/'));
    found.set(path, [...new Set([...(found.get(path) ?? []), match[1]])]);
  }
  return found;
}

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-architecture-'));
  scratch.dir = dir;
  for (const name of ['biome.json', 'lint', '.gitignore'])
    await cp(name, join(dir, name), { recursive: true });
  for (const { path, source } of cases) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), source);
  }
  const report = await new Promise<string>((done) => {
    const args = ['lint', '--reporter=github', '--max-diagnostics=none'];
    execFile(
      resolve('node_modules/.bin/biome'),
      args,
      { cwd: dir, maxBuffer: 2 ** 26 },
      (_, stdout, stderr) => done(stdout + stderr),
    );
  });
  scratch.found = rulesByFile(report);
  if (scratch.found.size === 0) throw new Error(`Biome found nothing at all:\n${report}`);
});
afterAll(() => scratch.dir && rm(scratch.dir, { recursive: true, force: true }));

for (const { sentence, path, source, rules } of cases) {
  test(sentence, () => expect(scratch.found.get(path) ?? [], source).toEqual(rules));
}
