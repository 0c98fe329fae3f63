/** Tells the parent which of the user's files this process loads, and which it looked for and did not find. */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url).href;
const ours = [`${root}src/`, `${root}dist/`];

/** Neither what was installed nor Holdfast itself: nobody edits those while they develop a worker. */
function isTheirs(url: string): boolean {
  return (
    url.startsWith('file:') && !url.includes('/node_modules/') && !ours.some((own) => url.startsWith(own))
  );
}

/** Hooks `import` and `require` of this process from now on. */
export function watchLoads(tell: (file: string) => void): void {
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (thrown) {
        const wanted = missing(specifier, context.parentURL);
        if (wanted !== undefined) tell(wanted);
        throw thrown;
      }
    },
    load(url, context, next) {
      if (isTheirs(url)) tell(fileURLToPath(url));
      return next(url, context);
    },
  });
}

/** The file that a relative import names and that is not there. */
function missing(specifier: string, parent: string | undefined): string | undefined {
  if (!/^\.{0,2}\//.test(specifier) || parent === undefined) return undefined;
  const url = new URL(specifier, parent).href;
  return isTheirs(url) ? fileURLToPath(url) : undefined;
}
