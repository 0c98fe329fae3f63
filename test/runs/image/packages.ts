/** The packages of the image, compared with the lock file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly cpu?: readonly string[];
  readonly os?: readonly string[];
}

export interface Package {
  /** The path as in the lock file, such as `node_modules/zod`. */
  readonly path: string;
  readonly version: string;
}

/** Returns all packages below a folder's node_modules, those in packages too. */
export function packagesIn(folder: string): Package[] {
  const found: Package[] = [];
  const visit = (modules: string): void => {
    if (!existsSync(modules)) return;
    for (const name of readdirSync(modules)) {
      if (name.startsWith('.')) continue;
      const path = join(modules, name);
      if (name.startsWith('@')) visit(path);
      else {
        const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
          version: string;
        };
        found.push({ path: relative(folder, path), version });
        visit(join(path, 'node_modules'));
      }
    }
  };
  visit(join(folder, 'node_modules'));
  return found;
}

/** Returns a sentence for each package that is not the one of the lock file, or that not every platform can run. */
export function lockFaults(packages: readonly Package[], lockText: string): string[] {
  const lock = (JSON.parse(lockText) as { packages: Readonly<Record<string, LockEntry>> }).packages;
  return packages.flatMap(({ path, version }) => {
    const entry = lock[path];
    if (entry === undefined) return [`${path} is not in the lock file`];
    if (entry.version !== version) return [`${path} is ${version}, and ${entry.version} in the lock file`];
    return entry.cpu === undefined && entry.os === undefined ? [] : [`${path} is for some platforms only`];
  });
}
