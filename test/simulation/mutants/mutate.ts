import { registerHooks } from 'node:module';
import type { Mutant } from './mutants.ts';

/** The mutant's file with its edits. @throws where the file has changed so that they no longer fit. */
export function mutated(source: string, { name, file, edits }: Mutant): string {
  let text = source;
  for (const { find, replace } of edits) {
    if (text.split(find).length !== 2)
      throw new Error(`The mutant '${name}' no longer fits: ${file} must hold exactly once: ${find}`);
    text = text.replace(find, () => replace);
  }
  return text;
}

/** From now on this process loads the mutant's file with its edits. Nothing of Holdfast may be loaded before. */
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
