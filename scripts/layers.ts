// Writes the import rules of lint/layers.ts as Biome lint rules to lint/layers.json. With `--check` it writes nothing
// and fails if that file is out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { bundleMessage, deniedTo, layers, packagesDeniedTo } from '../lint/layers.ts';

const file = 'lint/layers.json';

const overrides = layers.map((layer) => {
  const { folders, parts } = deniedTo(layer);
  const group = [
    ...folders.map((folder) => `**/${folder}/**`),
    ...parts.map((part) => `!**/${part}${part.endsWith('.ts') ? '' : '/**'}`),
  ];
  const patterns: { group: string[]; message: string }[] = [{ group, message: layer.message }];
  // An engine could import another one as a sibling folder, by a path that does not contain `engines`.
  const [parent, name] = layer.folder.split('/');
  if (name !== undefined) {
    const others = layers.map((one) => one.folder.split('/')).filter(([p, n]) => p === parent && n !== name);
    patterns.push({ group: others.map(([, other]) => `**/${other}/**`), message: layer.message });
  }
  const packages = packagesDeniedTo(layer);
  if (packages.length > 0) patterns.push({ group: [...packages], message: bundleMessage });
  if (layer.folder === 'core')
    patterns.push({ group: ['node:*', 'node:*/**'], message: 'core does no I/O: no Node modules in it.' });
  return {
    includes: [`**/src/${layer.folder}/**`, '!**/*.spec.ts'],
    linter: {
      rules: { style: { noRestrictedImports: { level: 'error', options: { patterns } } } },
    },
  };
});
const text = `${JSON.stringify({ overrides }, null, 2)}\n`;

if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is out of date with lint/layers.ts. Run \`npm run layers\` and commit the result.`);
  process.exit(1);
}
