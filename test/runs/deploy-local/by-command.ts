/** Cases of the command itself, a process, on the stage that the demo has used. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ECRClient } from '@aws-sdk/client-ecr';
import { permissions } from '../../../src/engines/aws/policies.ts';
import { type AwsStandIn, environmentOf } from '../../stand-ins/ministack-aws.ts';
import { createRole } from '../../stand-ins/roles.ts';
import { runNode } from '../iam/processes.ts';
import type { Tally } from './rollback/run-cases.ts';
import { imagesIn, labelsOf, tags } from './rollback/world.ts';
import type { DeployedStage } from './stages.ts';

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;

const runbook = new URL('../../../docs/runbooks/rollback.md', import.meta.url);

/** Returns the actions of the table of permissions in the runbook. */
function runbookActions(): { readonly reading: readonly string[]; readonly changing: readonly string[] } {
  const page = readFileSync(runbook, 'utf8');
  const part = page.slice(page.indexOf('## Permissions'));
  const rows = part.matchAll(/^\| (ecs|ecr|ssm|cloudwatch)(, to change something)? \|([^|]*)\|$/gm);
  const [reading, changing]: [string[], string[]] = [[], []];
  for (const [, service, changes, text = ''] of rows) {
    const actions = [...text.matchAll(/(?<!:)\b[A-Z][A-Za-z]+\b/g)].map(([word]) => `${service}:${word}`);
    (changes === undefined ? reading : changing).push(...actions);
  }
  return { reading, changing };
}

/**
 * Makes a role of an operator with these actions and those to read the table. Returns the environment of a process with its
 * credentials. ministack names other resources of these calls than AWS does, so that none is named here.
 */
async function operator(
  aws: AwsStandIn,
  {
    name,
    table,
    actions,
  }: { readonly name: string; readonly table: string; readonly actions: readonly string[] },
): Promise<Record<string, string>> {
  const tableArn = `arn:aws:dynamodb:${aws.region}:${aws.account}:table/${table}`;
  const reads = permissions.read.table.map((action) => `dynamodb:${action}`);
  const role = await createRole(aws, name, {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: actions, Resource: '*' },
      { Effect: 'Allow', Action: reads, Resource: tableArn },
    ],
  });
  return { ...environmentOf(await aws.assume(role)), AWS_ENDPOINT_URL: aws.endpoint };
}

/**
 * Releases a second tag to a stage that runs the first one, rolls it back, deploys it again, and goes forward again, with
 * credentials of a role that has the permissions of the runbook.
 */
export async function runByCommand(aws: AwsStandIn, deployed: DeployedStage): Promise<Tally> {
  const { name, table } = deployed.stage;
  const [first, second] = tags;
  const { reading, changing } = runbookActions();
  const reader = await operator(aws, { name: 'deploy-reader', table, actions: reading });
  const changer = await operator(aws, { name: 'deploy-operator', table, actions: [...reading, ...changing] });
  const holdfastAs = async (env: Readonly<Record<string, string>>, ...args: readonly string[]) => {
    const output = await runNode([main, 'deploy', ...args, '--stage', name, '--json'], env);
    const json = output.split('\n').find((line) => line.startsWith('{')) ?? '';
    return JSON.parse(json) as Record<string, unknown>;
  };
  const holdfast = (...args: readonly string[]) => holdfastAs(changer, ...args);
  const status = async (): Promise<Record<string, unknown>> => {
    const { services } = (await holdfastAs(reader, 'status', 'api')) as {
      services: Record<string, unknown>[];
    };
    const { tag, parameter, steady, rolledBack } = services[0] ?? {};
    return { tag, parameter, steady, rolledBack };
  };
  const cases: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'a release of a second tag runs it',
      async () => {
        const ecr = new ECRClient(aws.root);
        const { repository } = await deployed.place('api');
        await imagesIn(ecr, repository, undefined).pushImage(second, labelsOf(second));
        ecr.destroy();
        await deployed.release(second);
        const expected = { tag: second, parameter: second, steady: true, rolledBack: undefined };
        assert.deepEqual(await status(), expected);
      },
    ],
    [
      'a role that may only look sees the status and is denied the rollback',
      async () => {
        const before = await status();
        await assert.rejects(holdfastAs(reader, 'rollback', 'api'), /PERMISSION_DENIED/);
        assert.deepEqual(await status(), before);
      },
    ],
    [
      'holdfast deploy rollback api goes back to the first tag and writes the parameter that the stack reads',
      async () => {
        const moved = await holdfast('rollback', 'api');
        assert.deepEqual([moved.from, moved.to, moved.parameter], [second, first, first]);
        assert.equal(moved.next, 'holdfast deploy forward api --stage prod');
        const checks = moved.checks as readonly { readonly name: string; readonly ok?: boolean }[];
        const verdicts = checks.map((one) => [one.name, one.ok]);
        assert.deepEqual(verdicts, [
          ['health', true],
          ['canary', true],
          ['burn', true],
        ]);
        const rolledBack = { from: second, to: first, direction: 'back' };
        assert.deepEqual(await status(), { tag: first, parameter: first, steady: true, rolledBack });
      },
    ],
    [
      'the next deployment of the stack keeps the tag that was gone back to',
      async () => {
        await deployed.deployAgain();
        const { tag, parameter } = await status();
        assert.deepEqual([tag, parameter], [first, first]);
      },
    ],
    [
      'holdfast deploy forward leads to the second tag again, and the next deployment of the stack keeps it',
      async () => {
        await holdfast('forward', 'api');
        await deployed.deployAgain();
        const expected = { tag: second, parameter: second, steady: true, rolledBack: undefined };
        assert.deepEqual(await status(), expected);
      },
    ],
  ];
  let passed = 0;
  for (const [title, run] of cases) {
    try {
      await run();
      passed += 1;
      console.log(`ok      the command on ${name}: ${title}`);
    } catch (thrown) {
      console.log(`failed  the command on ${name}: ${title}`, thrown);
    }
  }
  return { count: cases.length, passed };
}
