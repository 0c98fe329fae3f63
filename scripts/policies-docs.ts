// `npm run docs:policies` writes the IAM policies in docs/aws.md from src/engines/aws/policies.ts. test/aws/policies.spec.ts
// compares both.
import { readFileSync, writeFileSync } from 'node:fs';
import { type PermissionName, statementsByPrefix } from '../src/engines/aws/policies.ts';

const file = new URL('../docs/aws.md', import.meta.url);

/** The permissions of each policy on the page, in their order there. */
export const printedPolicies: readonly (readonly PermissionName[])[] = [
  ['serve'],
  ['work'],
  ['drain', 'redispatch', 'init'],
];

const example = { region: 'eu-central-1', account: '123456789012', table: 'jobs', prefix: 'jobs' };

/** Returns a policy as the page shows it. */
export function printedPolicy(names: readonly PermissionName[]): string {
  const document = { Version: '2012-10-17', Statement: statementsByPrefix(names, example) };
  return JSON.stringify(document, null, 2);
}

/** Returns the page with its policies as they follow from the source. */
export function withPolicies(page: string): string {
  const left = [...printedPolicies];
  const written = page.replaceAll(/```json\n[\s\S]*?```/g, (block) => {
    const names = left.shift();
    return names === undefined ? block : `\`\`\`json\n${printedPolicy(names)}\n\`\`\``;
  });
  if (left.length > 0) throw new Error(`docs/aws.md has ${left.length} policies too few`);
  return written;
}

if (import.meta.main) writeFileSync(file, withPolicies(readFileSync(file, 'utf8')));
