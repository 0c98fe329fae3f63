import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { healthCommand, ports } from '../../../src/cdk/container/command-lines.ts';
import { schemasReadBy } from '../../../src/cli/deploy/schema-fit.ts';
import { defaultPorts } from '../../../src/cli/text/numbers.ts';
import { imageLabels } from '../../../src/core/deployments/names.ts';
import { tableSchema } from '../../../src/engines/aws/table/schema/schema-number.ts';
import { schemaVersion } from '../../../src/engines/sqlite/file/schema.ts';
import { searchPath } from './assemble.ts';
import { BuildContext, ignoredBy } from './context.ts';
import { expand, type Instruction, parseDockerfile } from './dockerfile.ts';

const repository = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');
const dockerfile = parseDockerfile(readFileSync(`${repository}/deploy/image/Dockerfile`, 'utf8'));
const last = dockerfile.stages.at(-1)?.instructions ?? [];
type Of<Kind extends Instruction['kind']> = Extract<Instruction, { readonly kind: Kind }>;
const only = <Kind extends Instruction['kind']>(kind: Kind): Of<Kind>[] =>
  last.filter((one): one is Of<Kind> => one.kind === kind);

it('the image is built from files that exist and that .dockerignore lets the builder see', () => {
  const context = new BuildContext(repository);
  const copies = dockerfile.stages
    .flatMap(({ instructions }) => instructions)
    .filter((one) => one.kind === 'copy');
  const sources = copies.filter(({ from }) => from === undefined).flatMap((copy) => copy.sources);
  expect(sources.length).toBeGreaterThan(5);
  expect(sources.filter((source) => !context.has(source))).toEqual([]);
});

it('every base of the image is pinned by a digest, without which a build fails with a sentence', () => {
  expect(dockerfile.args).toEqual(['NODE_DIGEST']);
  expect(dockerfile.stages).toHaveLength(3);
  for (const { base } of dockerfile.stages) {
    expect(() => expand(base, {})).toThrow(/NODE_DIGEST: is missing: give the digest .* docs\/image\.md/);
    expect(expand(base, { NODE_DIGEST: 'sha256:0a' })).toMatch(
      /^docker\.io\/library\/node:[\w.-]+@sha256:0a$/,
    );
  }
});

it('the image starts holdfast as the user of the CDK’s containers, on the CDK’s ports and with its health check', () => {
  expect(only('entrypoint').map(({ argv }) => argv)).toEqual([['holdfast']]);
  expect(only('user').map(({ value }) => value)).toEqual(['1000:1000']);
  expect(only('expose').map(({ value }) => Number(value))).toEqual([ports.grpc, ports.http]);
  expect(only('healthcheck').map(({ argv }) => argv)).toEqual([healthCommand]);
  // The health check names no port, so that the CDK must use the default one.
  expect(ports.http).toBe(defaultPorts.http);
});

it('the labels of the image are the schema numbers of this build, and holdfast deploy reads the same from them', () => {
  const labels = Object.fromEntries(only('label').map(({ name, value }) => [name, value]));
  expect(schemasReadBy(labels)).toEqual(tableSchema.reads);
  expect(labels).toMatchObject({
    [imageLabels.schema]: String(tableSchema.writes),
    [imageLabels.storeSchema]: String(schemaVersion),
    'org.opencontainers.image.licenses': 'Apache-2.0',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile.
    [imageLabels.version]: '${VERSION}',
  });
});

it.each([
  ['a command in a shell', 'FROM a\nRUN npm ci'],
  ['an entry point in a shell', 'FROM a\nENTRYPOINT holdfast'],
  ['a copy with a pattern', 'FROM a\nCOPY *.json ./'],
  ['a copy with an unknown option', 'FROM a\nCOPY --chown=1000 a b'],
  ['a line that goes on', 'FROM a\nENV A="b" \\\n  C="d"'],
  ['an unknown instruction', 'FROM a\nADD a b'],
  ['an instruction before the first stage', 'RUN ["a"]'],
])('the reader of the Dockerfile refuses %s', (_, text) => {
  expect(() => parseDockerfile(text)).toThrow(/does not know/);
});

it('.dockerignore is read as Docker reads it: the last line that matches a file or a folder above it decides', () => {
  const isIgnored = ignoredBy('# all but\n*\n!src\n!a.json\n**/*.spec.ts\n');
  expect(['src', 'src/a.ts', 'src/b/c.ts', 'a.json'].filter(isIgnored)).toEqual([]);
  expect(
    ['b.json', 'docs/a.md', 'src/a.spec.ts', 'src/b/c.spec.ts'].filter((path) => !isIgnored(path)),
  ).toEqual([]);
});

it('a search path of the image has its own folders below the root, and this machine’s Node in place of the base’s', () => {
  const path = '/app/bin:/usr/local/sbin:/usr/local/bin:/bin';
  expect(searchPath(path, '/tmp/root', ['/node', '/usr/bin'])).toBe('/tmp/root/app/bin:/node:/usr/bin');
  expect(searchPath(undefined, '/tmp/root', ['/node'])).toBe('/node');
});
