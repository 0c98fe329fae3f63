// Finds Bun: its package for this platform, which is installed once into .cache/. It is no entry of package.json, because
// npm refuses to install a package for another platform, and all of Bun's packages would need 400 MB.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const version = '1.4.5';
const processors: Readonly<Record<string, string>> = { x64: 'x64', arm64: 'aarch64' };

/** Returns the path of Bun. Throws an Error if npm cannot install it. */
export function bunProgram(): string {
  const name = `@oven/bun-${process.platform}-${processors[process.arch]}`;
  const folder = resolve('.cache', `bun-${version}`);
  const program = resolve(folder, 'node_modules', name, 'bin/bun');
  if (existsSync(program)) return program;
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', '--prefix', folder, ...options, `${name}@${version}`], {
    stdio: 'inherit',
  });
  return program;
}
