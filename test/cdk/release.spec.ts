/** Shows that the role of a release trusts one environment of one repository, and may do what a release does and no more. */
import type { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HoldfastReleaseRole } from '../../src/cdk/index.ts';
import { smokeActions, statusActions } from '../../src/core/deployments/actions.ts';
import { type Synthesized, synthesized } from './synthesized.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

let made: Synthesized;
let prod: Template;
beforeAll(async () => {
  made = await synthesized();
  prod = made.of('holdfast-prod');
});
afterAll(() => made.remove());

const [issuer, roleId] = ['token.actions.githubusercontent.com', /^ReleaseRole[0-9A-F]{8}$/];

function role(): Record<string, unknown> {
  const found = Object.entries(prod.findResources('AWS::IAM::Role')).find(([id]) => roleId.test(id));
  return found?.[1].Properties;
}

function statements(): Statement[] {
  const policies = Object.values(prod.findResources('AWS::IAM::Policy'));
  const own = policies.find(({ Properties }) => roleId.test(Properties.Roles[0].Ref));
  return own?.Properties.PolicyDocument.Statement;
}

function statementsOf(action: string): Statement[] {
  return statements().filter(({ Action }) => [Action].flat().includes(action));
}

function statementOf(action: string): Statement {
  const found = statementsOf(action);
  expect(found, action).toHaveLength(1);
  return found[0] as Statement;
}

it('the release role is assumed by OIDC alone, from one environment of one repository, for an hour at most', () => {
  expect(role()).toMatchObject({
    MaxSessionDuration: 3_600,
    AssumeRolePolicyDocument: {
      Statement: [
        {
          ...{ Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' },
          Principal: {
            Federated: {
              'Fn::Join': [
                '',
                expect.arrayContaining(
                  [`:oidc-provider/${issuer}`].map((end) => expect.stringContaining(end)),
                ),
              ],
            },
          },
          Condition: {
            StringEquals: {
              [`${issuer}:aud`]: 'sts.amazonaws.com',
              [`${issuer}:sub`]: 'repo:example/holdfast:environment:production',
            },
          },
        },
      ],
    },
  });
  expect(role()).not.toHaveProperty('ManagedPolicyArns');
});

it('the release role has no action with a wildcard, and every resource for actions alone that know no resource', () => {
  const actions = statements().flatMap(({ Action }) => Action);
  expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  expect(
    statements()
      .filter(({ Resource }) => Resource === '*')
      .map(({ Action }) => Action),
  ).toEqual([['ecr:GetAuthorizationToken', ...statusActions.taskDefinitions]]);
});

it('the release role may do what its workflow calls, and nothing else', () => {
  const called = [
    // skopeo reads and pushes the image; the other actions of a read are those of holdfast deploy status.
    ...['ecr:BatchCheckLayerAvailability', 'ecr:CompleteLayerUpload', 'ecr:GetAuthorizationToken'],
    ...['ecr:InitiateLayerUpload', 'ecr:PutImage', 'ecr:UploadLayerPart'],
    // The CDK deploys by the roles of the bootstrap; the CLI of AWS writes the tag.
    ...['sts:AssumeRole', 'ssm:PutParameter', 'iam:PassRole'],
    ...Object.values(statusActions).flat(),
    ...Object.values(smokeActions).flat(),
  ];
  const granted = statements().flatMap(({ Action }) => Action);
  expect([...new Set(granted)].sort()).toEqual([...new Set(called)].sort());
});

it('the release role reads the services of its own stage and cluster for holdfast deploy status, and the images of its repository', () => {
  const textOf = (action: string): string => JSON.stringify(statementsOf(action).map((one) => one.Resource));
  for (const action of statusActions.services)
    for (const kind of ['service', 'service-deployment', 'service-revision'])
      expect(textOf(action), action).toContain(`:${kind}/`);
  for (const action of statusActions.path)
    expect(textOf(action), action).toMatch(/:parameter\/holdfast\/prod\/services"/);
  for (const action of statusActions.images) expect(textOf(action), action).toContain('Images');
  const read = textOf('ssm:GetParameter');
  expect(read).toContain(':parameter/holdfast/prod/image-tag"');
  for (const name of ['api', 'worker', 'canary'])
    expect(read).toContain(`:parameter/holdfast/prod/rollbacks/${name}"`);
});

it('the release role deploys by the roles of the bootstrap of the CDK alone, and changes no resource itself', () => {
  const text = JSON.stringify(statementOf('sts:AssumeRole').Resource);
  for (const kind of ['deploy', 'file-publishing', 'lookup'])
    expect(text).toContain(`cdk-hnb659fds-${kind}-role-`);
  const writes = /:(Create|Update|Delete|Put|Register|Deregister|Attach|Stop)/;
  const changing = statements()
    .flatMap(({ Action }) => Action)
    .filter((action) => writes.test(action));
  expect(changing.sort()).toEqual(['ecr:PutImage', 'ssm:PutParameter']);
});

it('the release role writes the tag of its own stage, and runs no task but that of the canary in its cluster', () => {
  expect(JSON.stringify(statementOf('ssm:PutParameter').Resource)).toContain(
    'parameter/holdfast/prod/image-tag',
  );
  const run = statementOf('ecs:RunTask');
  expect(run.Resource).toEqual({ Ref: expect.stringMatching(/^CanaryTaskDefinition/) });
  expect(run.Condition).toMatchObject({ ArnEquals: { 'ecs:cluster': expect.anything() } });
  const pass = statementOf('iam:PassRole');
  expect(JSON.stringify(pass.Resource).match(/CanaryTaskDefinition(TaskRole|ExecutionRole)/g)).toHaveLength(
    2,
  );
  expect(pass.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } });
});

it('the canary’s cluster and service are outputs, by which the smoke test finds them', () => {
  const outputs = Object.keys(prod.findOutputs('*'));
  for (const name of ['ClusterName', 'ServiceName'])
    expect(outputs.filter((id) => new RegExp(`^Canary${name}[0-9A-F]{8}$`).test(id))).toHaveLength(1);
});

it('a repository that is a pattern, or none, is refused, so that no other one may deploy', () => {
  for (const repository of ['example/*', 'example', '*', ''])
    expect(
      () => new HoldfastReleaseRole(made.app, `role ${repository}`, { repository } as never),
      repository,
    ).toThrow(/is no repository/);
  const wide = { repository: 'example/holdfast', environment: '*' };
  expect(() => new HoldfastReleaseRole(made.app, 'wide', wide as never)).toThrow(/is no environment/);
});
