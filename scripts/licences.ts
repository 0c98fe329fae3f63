// Fails if a dependency has a licence that is not permissive. Development tools are included, because they can end up
// in an image or in a copied file. The script reads the lock file, not node_modules: packages for other platforms are
// not installed on this machine, but users get them.
import { readFileSync } from 'node:fs';

const permissive = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'MPL-2.0',
  'Python-2.0',
  'Unlicense',
]);

/** The licences of packages whose package.json names none in SPDX form, as read from their licence files. */
const readByHand: Readonly<Record<string, string>> = {};

/**
 * Sets of data with a licence that asks for attribution alone, which only development tools read: no user of Holdfast gets
 * them. caniuse-lite comes with webpack, by which docs/bundling.md is checked.
 */
const dataOfTools: Readonly<Record<string, string>> = { 'caniuse-lite': 'CC-BY-4.0' };

/**
 * Returns true if an SPDX expression allows a permissive choice. It understands names joined by AND and OR, of which
 * AND binds tighter, and ignores parentheses.
 */
function isPermissive(expression: string): boolean {
  return expression
    .replace(/[()]/g, '')
    .split(/ OR /i)
    .some((choice) => choice.split(/ AND /i).every((name) => permissive.has(name.trim())));
}

interface Lock {
  packages: Record<string, { version?: string; license?: string; link?: boolean; dev?: boolean }>;
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
const packages = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && !entry.link);
const refused: string[] = [];
const counts = new Map<string, number>();
for (const [path, entry] of packages) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const licence = entry.license ?? readByHand[name] ?? 'none stated';
  counts.set(licence, (counts.get(licence) ?? 0) + 1);
  const isDataOfTools = entry.dev === true && dataOfTools[name] === licence;
  if (!isPermissive(licence) && !isDataOfTools) refused.push(`${name} ${entry.version}: ${licence}`);
}

for (const [licence, count] of [...counts].sort((a, b) => b[1] - a[1]))
  console.log(`${String(count).padStart(5)}  ${licence}`);
for (const line of refused) console.error(`not permissive: ${line}`);
if (packages.length === 0 || refused.length > 0) process.exit(1);
console.log(`${packages.length} packages, all permissive, but for the data of development tools.`);
