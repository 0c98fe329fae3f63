// Reads docs/bundling.md: its programs and its commands are what the check of the bundles builds and starts.
import { readFileSync } from 'node:fs';

export interface BundlingPage {
  /** The text of each named file of the page. */
  readonly files: ReadonlyMap<string, string>;
  /** The commands, without `npx`. Each bundles `submit.mjs`. */
  readonly commands: readonly string[];
}

const block = /^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm;

export function readPage(path: string): BundlingPage {
  const files = new Map<string, string>();
  const commands: string[] = [];
  for (const [, language, name, text = ''] of readFileSync(path, 'utf8').matchAll(block)) {
    if (name !== undefined) files.set(name, text);
    else if (language === 'sh') commands.push(...text.trim().split('\n'));
  }
  return { files, commands: commands.map((command) => command.replace(/^npx /, '')) };
}
