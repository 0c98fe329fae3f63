/** Compares src/core/deployments/actions.ts with what `holdfast deploy` calls and with docs/runbooks/rollback.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { moveActions, statusActions } from '../../src/core/deployments/actions.ts';
import { startDouble } from '../runs/deploy-local/rollback/double.ts';
import { openWorld } from '../runs/deploy-local/rollback/world.ts';
import { holdfast } from './command-server.ts';

const folder = new URL('../../src/cli/deploy/aws/', import.meta.url);
const page = readFileSync(new URL('../../docs/runbooks/rollback.md', import.meta.url), 'utf8');
const permissions = page.slice(page.indexOf('## Permissions'));

const sorted = (actions: Iterable<string>): string[] => [...new Set(actions)].sort();
const ofStatus = sorted(Object.values(statusActions).flat());
const all = sorted([...ofStatus, ...Object.values(moveActions).flat()]);

it('the list of actions has each call of AWS in the sources of holdfast deploy, and no other', () => {
  const files = readdirSync(folder).filter((file) => !file.endsWith('.spec.ts'));
  const sources = files.map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const called = sources.flatMap((source) =>
    [...source.matchAll(/new (ecs|ecr|ssm|cloudwatch)Module\.(\w+)Command\(/g)].map(
      ([, service, operation]) => `${service}:${operation}`,
    ),
  );
  expect(sorted(called)).toEqual(all);
});

it('holdfast deploy status makes the calls of its own list alone', async () => {
  const double = await startDouble();
  const world = await openWorld(double.endpoint, double);
  const before = double.calls.length;
  const status = await holdfast('deploy', 'status');
  const called = sorted(double.calls.slice(before));
  await world.close();
  expect(status.code).toBe(0);
  expect(called).toEqual(sorted(ofStatus.map((action) => action.split(':')[1] ?? '')));
});

it('docs/runbooks/rollback.md lists the actions that holdfast deploy needs, and no other', () => {
  const listed = [...permissions.matchAll(/^\| (ecs|ecr|ssm|cloudwatch)\b[^|]*\|([^|]*)\|$/gm)].flatMap(
    ([, service, text = '']) =>
      [...text.matchAll(/\b[A-Z][A-Za-z]+\b/g)]
        .map(([word]) => word)
        .filter((word) => word !== 'PassRole')
        .map((word) => `${service}:${word}`),
  );
  expect(listed.sort()).toEqual(all);
});

it('the commands of the AWS CLI in docs/runbooks/rollback.md need no further action', () => {
  const commands = [...page.matchAll(/\baws (ecs|ecr|ssm|cloudwatch) ([a-z-]+)/g)].map(
    ([, service, verb = '']) =>
      `${service}:${verb.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
  );
  expect(commands.length).toBeGreaterThan(10);
  // `aws ecs wait services-stable` repeats DescribeServices.
  expect(sorted(commands).filter((action) => action !== 'ecs:Wait' && !all.includes(action))).toEqual([]);
});
