// Writes the version of package.json into src/platform/version.ts. `npm version` runs this script before its commit.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const file = 'src/platform/version.ts';
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const constant = /packageVersion = '[^']*'/;
const source = readFileSync(file, 'utf8');
if (!constant.test(source)) throw new Error(`${file} has no constant packageVersion.`);
writeFileSync(file, source.replace(constant, `packageVersion = '${version}'`));
execFileSync('git', ['add', file]);
