// Fails if the committed generated code differs from the code that the .proto files generate. The generated code is
// committed so that a clone runs without a generation step; this check finds manual edits and forgotten updates.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './run.ts';

const committed = 'src/rpc/gen';
const dir = mkdtempSync(join(tmpdir(), 'holdfast-proto-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

must('buf', 'generate', '--output', dir);
const fresh = join(dir, committed);

const files = (root: string): string[] =>
  existsSync(root)
    ? readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    : [];

const same = (name: string): boolean =>
  existsSync(join(committed, name)) &&
  existsSync(join(fresh, name)) &&
  readFileSync(join(committed, name)).equals(readFileSync(join(fresh, name)));

const names = [...new Set([...files(committed), ...files(fresh)])].sort();
const stale = names.filter((name) => !same(name));
if (names.length === 0) console.error('Nothing was generated.');
for (const name of stale) console.error(`${committed}/${name} differs from the code generated from proto/.`);
if (stale.length > 0) console.error('Run `npm run proto:gen` and commit the result.');
if (names.length === 0 || stale.length > 0) process.exit(1);
console.log(`${names.length} generated files are up to date.`);
