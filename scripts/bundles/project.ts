// Makes the folder of an application that has installed the packed Holdfast: the archive's files, and links to its
// dependencies. The optional ones, the AWS SDK among them, are not there, as in an application that does not use AWS.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export function makeProject(folder: string, archive: string, files: ReadonlyMap<string, string>): void {
  const installed = join(folder, 'node_modules/holdfast');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', archive, '-C', installed, '--strip-components', '1']);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const plugins = ['@rollup/plugin-node-resolve', '@rollup/plugin-commonjs'];
  for (const name of [...Object.keys(dependencies), ...plugins]) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link);
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}
