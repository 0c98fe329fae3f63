// Checks the package that users install: packs it once and runs publint (files and exports) and attw (type
// resolution) on that archive, then bundles applications that use it (bundles/). attw runs with the ESM-only profile, because
// Holdfast has no CommonJS build.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkBundles } from './bundles/check.ts';
import { must } from './run.ts';

const dir = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', dir], {
  encoding: 'utf8',
});
const [archive] = JSON.parse(packed) as { filename: string; entryCount: number; size: number }[];
if (archive === undefined) throw new Error(`npm pack answered ${packed}`);
console.log(`${archive.filename}: ${archive.entryCount} files, ${Math.ceil(archive.size / 1024)} kB`);

const path = join(dir, archive.filename);
must('publint', 'run', path, '--strict');
must('attw', path, '--profile', 'esm-only');
if (!(await checkBundles(path))) process.exit(1);
