/**
 * Reports each of the user's files that this process imports, and each one that it tried to import and did not find.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url).href;
const ownRoots = [`${root}src/`, `${root}dist/`];

/** Returns true for a file of the user. Installed packages and Holdfast itself are not edited during development. */
function isUserFile(url: string): boolean {
  return (
    url.startsWith('file:') && !url.includes('/node_modules/') && !ownRoots.some((own) => url.startsWith(own))
  );
}

/** Hooks `import` and `require` of this process, so that `onFile` is called before a user's file is read. */
export function watchImports(onFile: (file: string) => void): void {
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (thrown) {
        const file = missingFile(specifier, context.parentURL);
        if (file !== undefined) onFile(file);
        throw thrown;
      }
    },
    load(url, context, next) {
      if (isUserFile(url)) onFile(fileURLToPath(url));
      return next(url, context);
    },
  });
}

/** Returns the path that a relative import names, for an import that could not be resolved. */
function missingFile(specifier: string, parent: string | undefined): string | undefined {
  if (!/^\.{0,2}\//.test(specifier) || parent === undefined) return undefined;
  const url = new URL(specifier, parent).href;
  return isUserFile(url) ? fileURLToPath(url) : undefined;
}
