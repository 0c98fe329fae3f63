/** The build context of the image: the files of the repository that `.dockerignore` lets the builder see. */
import { existsSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';

/** Returns a function that says whether a path of the context is ignored. The last line that matches decides. */
export function ignoredBy(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ ignores: !line.startsWith('!'), pattern: line.replace(/^!/, '') }));
  return (path) => {
    const parts = path.split('/');
    // A rule for a folder holds for everything in it.
    const paths = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    const rule = rules.findLast(({ pattern }) => paths.some((one) => matchesGlob(one, pattern)));
    return rule?.ignores ?? false;
  };
}

export class BuildContext {
  readonly #folder: string;
  readonly #isIgnored: (path: string) => boolean;

  constructor(folder: string) {
    this.#folder = folder;
    this.#isIgnored = ignoredBy(readFileSync(join(folder, '.dockerignore'), 'utf8'));
  }

  has(path: string): boolean {
    return !this.#isIgnored(path) && existsSync(join(this.#folder, path));
  }

  /**
   * Returns the absolute path of a source of COPY.
   *
   * @throws Error if it does not exist or is ignored, which ends the build.
   */
  source(path: string): string {
    if (!this.has(path)) throw new Error(`COPY ${path}: the build context has no such file`);
    return join(this.#folder, path);
  }

  /** Returns true if the builder sees this file. */
  includes(absolute: string): boolean {
    return !this.#isIgnored(absolute.slice(this.#folder.length + 1));
  }
}
