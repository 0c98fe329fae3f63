import { registerHooks } from 'node:module';
import type { Mutant } from './mutants.ts';

/**
 * Returns the source of a file with a mutant's edits. Throws an error if the text that an edit replaces does not occur in
 * the source exactly once.
 */
export function mutated(source: string, { name, file, edits }: Mutant): string {
  let text = source;
  for (const { find, replace } of edits) {
    if (text.split(find).length !== 2)
      throw new Error(`The mutant '${name}' no longer fits: ${file} must hold exactly once: ${find}`);
    text = text.replace(find, () => replace);
  }
  return text;
}

/**
 * Makes this process load the mutant's source file with the mutant's edits. Must be called before any module of Holdfast
 * is loaded.
 */
export function mutate(mutant: Mutant): void {
  const target = new URL(`../../../${mutant.file}`, import.meta.url).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const source =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      return { ...loaded, source: mutated(source, mutant) };
    },
  });
}
