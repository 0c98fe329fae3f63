// Proves that the lint rules of the architecture work: a rule that matches nothing would look like one that is obeyed.
// For each rule this spec writes a file that breaks it, and for each allowed import a file that has it, into a scratch
// project with our own biome.json. One run of Biome checks all files.
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deniedTo, layers, mayImport } from '../lint/layers.ts';

const imports = 'style/noRestrictedImports';
const globals = 'style/noRestrictedGlobals';
const cycles = 'suspicious/noImportCycles';
const hidden = 'plugin';

interface Case {
  readonly sentence: string;
  readonly path: string;
  readonly source: string;
  /** The rules that Biome must report for this file; empty if it must report none. */
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

/** Returns the relative path from a folder of src/ up to src/. */
const upFrom = (folder: string): string => folder.replaceAll(/[^/]+/g, '..');

for (const layer of layers) {
  const { folder } = layer;
  for (const target of layers) {
    if (target === layer) continue;
    const expectation = mayImport(`${folder}/a.ts`, `${target.folder}/a.ts`) ? allows : refuses;
    expectation(folder, target.folder, `${upFrom(folder)}/${target.folder}/thing.ts`);
  }
  const { folders, parts } = deniedTo(layer);
  const [denied] = folders;
  if (denied !== undefined) {
    refuses(`${folder}/part`, `${denied} from a subfolder`, `../${upFrom(folder)}/${denied}/a.ts`);
  }
  for (const part of parts) {
    const file = part.endsWith('.ts') ? part : `${part}/thing.ts`;
    allows(folder, part, `${upFrom(folder)}/${file}`);
  }
  allows(`${folder}/part`, 'its own files', '../thing.ts');
}
for (const engine of ['sqlite', 'aws', 'memory']) {
  for (const other of ['sqlite', 'aws', 'memory'].filter((name) => name !== engine))
    refuses(`engines/${engine}`, `the engine ${other}`, `../${other}/task-store.ts`);
}
refuses('client', 'a port other than the clock', '../ports/task-store.ts');
refuses('client', 'a part of rpc other than its generated code', '../rpc/api/api.ts');
for (const folder of ['core', 'client', 'remote', 'tls']) {
  for (const name of ['pino', '@aws-sdk/client-sqs', 'zod', '@connectrpc/connect', 'node:sqlite'])
    refuses(folder, `${name}, which no bundle of a client may hold`, name);
}
allows('client', 'grpc-js', '@grpc/grpc-js');
refuses('remote', 'the log that pino writes', '../platform/log.ts');
refuses('core', 'a Node module', 'node:fs');
refuses('core', 'a submodule of a Node module', 'node:fs/promises');
add(
  'core may not import a type from another layer',
  'core',
  "export type { A } from '../ports/a.ts';",
  imports,
);
add(
  'core may not import another layer by a dynamic import',
  'core',
  "export const a = () => import('../ports/a.ts');",
  imports,
);

const timers = ['setTimeout', 'setInterval', 'setImmediate', 'performance'];
for (const folder of ['core', 'service', 'engines/aws', 'client']) {
  for (const name of timers)
    add(`${folder} may not use ${name}`, folder, `export const a = ${name};`, globals);
}
for (const name of ['setTimeout', 'setInterval', 'performance']) {
  add(`engines/sqlite may not use ${name}`, 'engines/sqlite', `export const a = ${name};`, globals);
}
add(
  'engines/sqlite may batch the calls of a turn by setImmediate',
  'engines/sqlite',
  'export const a = setImmediate;',
);
for (const name of timers) {
  add(`platform may use ${name}`, 'platform', `export const a = ${name};`);
  add(`cli may use ${name}`, 'cli', `export const a = ${name};`);
}

const hiddenTime: Readonly<Record<string, string>> = {
  'Date.now()': 'export const a = Date.now();',
  'new Date()': 'export const a = new Date();',
  'Date.now without a call': 'export const a = { now: Date.now };',
  'globalThis.setTimeout': 'export const a = globalThis.setTimeout;',
  'AbortSignal.timeout': 'export const a = AbortSignal.timeout(1);',
  'process.hrtime': 'export const a = process.hrtime.bigint();',
  'timers by import': "export { setTimeout as a } from 'node:timers/promises';",
  'timers by a dynamic import': "export const a = () => import('node:timers');",
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
  add(`service may not use time or random values: ${what}`, 'service', source, hidden);
  add(`platform may use time and random values: ${what}`, 'platform', source);
}
add(
  'service may make a Date from given ms',
  'service',
  'export const a = (ms: number): Date => new Date(ms);',
);
add(
  'service may use hashes of node:crypto',
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
    sentence: 'generated code is not checked',
    path: 'src/rpc/gen/case_pb.ts',
    rules: [],
    source: 'var a = Math.random()\nexport { a }\n',
  },
  {
    sentence: 'two files may not import each other (first file)',
    path: 'src/service/cycle-a.ts',
    rules: [cycles],
    source: "import { b } from './cycle-b.ts';\nexport const a = () => b;\n",
  },
  {
    sentence: 'two files may not import each other (second file)',
    path: 'src/service/cycle-b.ts',
    rules: [cycles],
    source: "import { a } from './cycle-a.ts';\nexport const b = () => a;\n",
  },
  {
    sentence: 'two files may not import types from each other (first file)',
    path: 'src/service/types-a.ts',
    rules: [cycles],
    source: "import type { B } from './types-b.ts';\nexport type A = { b: B };\n",
  },
  {
    sentence: 'two files may not import types from each other (second file)',
    path: 'src/service/types-b.ts',
    rules: [cycles],
    source: "import type { A } from './types-a.ts';\nexport type B = { a: A };\n",
  },
);

/** Returns the architecture rules that Biome's report says are broken, by file. */
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
  if (scratch.found.size === 0) throw new Error(`Biome reported nothing:\n${report}`);
});
afterAll(() => scratch.dir && rm(scratch.dir, { recursive: true, force: true }));

for (const { sentence, path, source, rules } of cases) {
  test(sentence, () => expect(scratch.found.get(path) ?? [], source).toEqual(rules));
}

const sources = globSync('src/**/*.ts').filter((file) => !file.startsWith(join('src', 'rpc', 'gen')));
const products = sources.filter((file) => !file.endsWith('.spec.ts'));

/** Returns the relative imports of a file, also of types and dynamic ones, as paths below src/. */
function importsOf(file: string): string[] {
  const specifiers = readFileSync(file, 'utf8').matchAll(/(?:from|import\(|import) ?'(\.[^']+)'/g);
  return [...specifiers].map(([, specifier = '']) =>
    normalize(join(dirname(file), specifier)).slice('src/'.length),
  );
}

test('every import in src/ is allowed by the table of layers', () => {
  const offenders = products.flatMap((file) =>
    importsOf(file)
      .filter((target) => target !== 'index.ts' && !mayImport(file.slice('src/'.length), target))
      .map((target) => `${file} imports ${target}`),
  );
  expect(products.length).toBeGreaterThan(300);
  expect(offenders).toEqual([]);
});

test('only src/cli imports src/index.ts', () => {
  const importers = products.filter((file) => importsOf(file).includes('index.ts'));
  expect(importers.filter((file) => !file.startsWith(join('src', 'cli')))).toEqual([]);
});

test('no folder of src/ has more than 15 source files of its own', () => {
  const counts = Map.groupBy(products, (file) => dirname(file));
  expect([...counts].filter(([, files]) => files.length > 15).map(([folder]) => folder)).toEqual([]);
});

test('concurrent tests take their hooks from their context, since the hooks of vitest are those of the test that began last', () => {
  const specs = globSync('{src,test,bench}/**/*.spec.ts').filter((file) =>
    /\b(?:it|test|describe)\.concurrent\b/.test(readFileSync(file, 'utf8')),
  );
  const importing = specs.filter((file) =>
    /import \{[^}]*\bonTest(?:Finished|Failed)\b[^}]*\} from 'vitest'/.test(readFileSync(file, 'utf8')),
  );
  expect(specs.length).toBeGreaterThan(3);
  expect(importing).toEqual([]);
});
