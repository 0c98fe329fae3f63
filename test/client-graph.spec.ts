// Proves what a bundle of `holdfast/client` and of `holdfast/worker` can hold: this spec follows all imports of the two
// entries, static and dynamic ones, and compares the packages and the folders that they reach with short lists.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

interface Graph {
  readonly files: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
}

/** Returns all that a file imports at run time, and what those files import. An import of types alone does not count. */
function graphOf(entry: string): Graph {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const specifier of importsOf(readFileSync(file, 'utf8'))) {
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return { files, packages };
}

function importsOf(source: string): string[] {
  const statements = source.matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?["']([^"']+)["']|\bimport\('([^']+)'\)/gm,
  );
  return [...statements]
    .filter(([text]) => !isOfTypes(text))
    .map(([, named, dynamic]) => named ?? dynamic ?? '');
}

/** Returns true for `import { type A, type B } from …`, of which nothing is left at run time but for its side effects. */
function isOfTypes(statement: string): boolean {
  const names = /\{([^}]*)\}/
    .exec(statement)?.[1]
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return names?.every((name) => name.startsWith('type ')) === true;
}

const foldersOf = ({ files }: Graph): string[] =>
  [...new Set([...files].map((file) => relative('src', file).split('/').slice(0, 2).join('/')))].sort();

const isOfWorkers = (file: string): boolean => file.startsWith('src/client/worker/');

const packages = [
  '@bufbuild/protobuf',
  '@bufbuild/protobuf/codegenv2',
  '@bufbuild/protobuf/wkt',
  '@grpc/grpc-js',
  '@opentelemetry/api',
  'canonicalize',
];

for (const entry of ['src/remote/client.ts', 'src/remote/worker.ts']) {
  const graph = graphOf(entry);

  test(`${entry} reaches no package but those of the protocol, grpc-js and the API of OpenTelemetry`, () => {
    const reached = [...graph.packages].filter((name) => !name.startsWith('node:')).sort();
    expect(reached).toEqual(packages);
    expect([...graph.packages]).not.toContain('node:sqlite');
  });

  test(`${entry} reaches no server, no engine, no service and no log of pino`, () => {
    const top = new Set(foldersOf(graph).map((folder) => folder.split('/')[0]));
    expect([...top].sort()).toEqual([
      'client',
      'core',
      'platform',
      'ports',
      'remote',
      'rpc',
      'telemetry',
      'tls',
    ]);
    expect(foldersOf(graph).filter((folder) => folder.startsWith('rpc/'))).toEqual(['rpc/gen']);
    expect([...graph.files]).not.toContain('src/platform/log.ts');
  });

  test(`${entry} imports grpc-js in the one file whose build is replaced by a copy of its client`, () => {
    const importers = [...graph.files].filter((file) =>
      importsOf(readFileSync(file, 'utf8')).includes('@grpc/grpc-js'),
    );
    expect(importers).toEqual(['src/client/grpc/library/grpc-js.ts']);
  });
}

test('holdfast/client reaches no part of a worker, and holdfast/worker does', () => {
  expect([...graphOf('src/remote/client.ts').files].filter(isOfWorkers)).toEqual([]);
  expect([...graphOf('src/remote/worker.ts').files].filter(isOfWorkers).length).toBeGreaterThan(10);
});

test('an embedded store reaches neither the AWS engine nor a listener nor pino', () => {
  const { files, packages: reached } = graphOf('src/index.ts');
  const refused = [...files].filter((file) => /^src\/(engines\/aws|rpc\/server|cli)\//.test(file));
  expect(refused).toEqual([]);
  expect([...files]).toContain('src/engines/sqlite/index.ts');
  const named = [...reached].filter((name) => !name.startsWith('node:')).sort();
  expect(named).toEqual(packages);
});

test('no file of an embedded application reads a file beside its own code', () => {
  const readers = [...graphOf('src/index.ts').files].filter((file) =>
    /import\.meta\./.test(readFileSync(file, 'utf8')),
  );
  expect(readers).toEqual([]);
});
