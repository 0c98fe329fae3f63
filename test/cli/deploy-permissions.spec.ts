/** Compares the permissions in docs/runbooks/rollback.md with the calls that the sources of `holdfast deploy` make. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const folder = new URL('../../src/cli/deploy/aws/', import.meta.url);
const page = readFileSync(new URL('../../docs/runbooks/rollback.md', import.meta.url), 'utf8');

it('docs/runbooks/rollback.md lists the actions that holdfast deploy needs, and no other', () => {
  const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const called = sources.flatMap((source) =>
    [...source.matchAll(/new (ecs|ecr|ssm|cloudwatch)Module\.(\w+)Command\(/g)].map(
      ([, service, operation]) => `${service}:${operation}`,
    ),
  );
  const part = page.slice(page.indexOf('## Permissions'));
  const listed = [...part.matchAll(/^\| (ecs|ecr|ssm|cloudwatch)\b[^|]*\|([^|]*)\|$/gm)].flatMap(
    ([, service, text = '']) =>
      [...text.matchAll(/\b[A-Z][A-Za-z]+\b/g)]
        .map(([word]) => word)
        .filter((word) => word !== 'PassRole')
        .map((word) => `${service}:${word}`),
  );
  expect(listed.sort()).toEqual([...new Set(called)].sort());
});
