import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathIn } from './store-url.ts';

/**
 * Returns one name for all spellings of a store's URL: a relative path, an absolute one and one through a symbolic link name
 * one file. A file that does not exist yet is named by its folder.
 */
export function storeName(url: string): string {
  const path = pathIn(url);
  return path === undefined ? url : `file:${realPath(resolve(path))}`;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(realPath(folder), basename(path));
  }
}
