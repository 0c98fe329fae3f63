/** Reads the runbooks: their pages, and the blocks of code in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { runbookFolder } from '../../scripts/rules/runbooks.ts';

export const folder = new URL(`../../${runbookFolder}/`, import.meta.url);

/** The pages that belong to no alert. */
export const procedures: readonly string[] = ['rollback.md', 'restore.md'];

/** The pages of the alerts, without the list of them. */
export const pages: readonly string[] = readdirSync(folder).filter(
  (name) => name !== 'README.md' && !procedures.includes(name),
);

export function textOf(page: string): string {
  return readFileSync(new URL(page, folder), 'utf8');
}

/** Returns the blocks of code of a page with their languages, in order. */
export function blocksOf(page: string): readonly { readonly language: string; readonly code: string }[] {
  return [...textOf(page).matchAll(/^ *```(\w+)\n(.*?)\n *```$/gms)].map(([, language = '', code = '']) => ({
    language,
    code,
  }));
}

export function ofLanguage(page: string, language: string): readonly string[] {
  return blocksOf(page).flatMap((block) => (block.language === language ? [block.code] : []));
}
