import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { expect, it } from 'vitest';
import {
  HoldfastNetwork,
  HoldfastServer,
  HoldfastStore,
  HoldfastWorker,
  type HoldfastWorkerProps,
  type IHoldfastStore,
} from '../../src/cdk/index.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import { permissions } from '../../src/engines/aws/policies.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** Returns the statements of a role after a grant on a store that another stack has made. */
function granted(grant: (store: IHoldfastStore, role: iam.Role) => void): Statement[] {
  const stack = new Stack(new App(), 'stack', { env: { region: 'eu-central-1', account: '123456789012' } });
  const role = new iam.Role(stack, 'role', { assumedBy: new iam.AccountRootPrincipal() });
  const queues = [{ name: 'mail' }, { name: 'billing' }];
  grant(HoldfastStore.fromAttributes(stack, 'store', { tableName: 'jobs', queues }), role);
  const [policy] = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  return policy?.Properties.PolicyDocument.Statement as Statement[];
}

const actionsOf = (statements: readonly Statement[]): string[] =>
  [...new Set(statements.flatMap(({ Action }) => Action))].sort();
const nameOf = (queue: string) => sqsQueuesOf('jobs', { tenant: 'default', queue })[0]?.name ?? '';

it('each grant allows exactly the actions of its permissions', () => {
  const cases = [
    ['serve', (store: IHoldfastStore, role: iam.Role) => store.grantServe(role)],
    ['work', (store: IHoldfastStore, role: iam.Role) => store.grantWork(role)],
    ['submit', (store: IHoldfastStore, role: iam.Role) => store.grantSubmit(role)],
    ['read', (store: IHoldfastStore, role: iam.Role) => store.grantRead(role)],
    ['register', (store: IHoldfastStore, role: iam.Role) => store.grantRegister(role)],
  ] as const;
  for (const [name, grant] of cases) {
    const { table, indexes, queues, deadQueues } = permissions[name];
    const expected = [
      ...table.map((action) => `dynamodb:${action}`),
      ...[...queues, ...deadQueues].map((action) => `sqs:${action}`),
    ];
    const statements = granted(grant);
    expect(actionsOf(statements), name).toEqual([...new Set(expected)].sort());
    const read = JSON.stringify(statements).match(/index\/\w+/g) ?? [];
    expect(read, name).toEqual(indexes.map((index) => `index/${index}`));
  }
});

it('a grant names the table, its indexes and the queues, and has no wildcard', () => {
  const text = JSON.stringify(granted((store, role) => store.grantServe(role)));
  expect(text).not.toContain('*');
  for (const name of [nameOf('mail'), nameOf('billing'), 'table/jobs/index/due'])
    expect(text).toContain(name);
});

it('a grant for one queue reaches no SQS queue of another', () => {
  const text = JSON.stringify(granted((store, role) => store.grantWork(role, { queues: ['mail'] })));
  expect(text).toContain(nameOf('mail'));
  expect(text).not.toContain(nameOf('billing'));
});

it('a grant for a queue that the store lacks is refused', () => {
  expect(() => granted((store, role) => store.grantWork(role, { queues: ['other'] }))).toThrow(
    /queue 'other'/,
  );
});

it('a key of the account encrypts table and queues, and roles may use it', async () => {
  const { Key } = await import('aws-cdk-lib/aws-kms');
  const stack = new Stack(new App(), 'stack', { env: { region: 'eu-central-1' } });
  const encryptionKey = new Key(stack, 'key');
  const store = new HoldfastStore(stack, 'store', {
    tableName: 'jobs',
    queues: [{ name: 'mail' }],
    encryptionKey,
  });
  store.grantWork(new iam.Role(stack, 'role', { assumedBy: new iam.AccountRootPrincipal() }));
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
  });
  template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: Match.anyValue() });
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([Match.objectLike({ Action: ['kms:Decrypt', 'kms:GenerateDataKey'] })]),
    },
  });
});

it('workers whose number cannot change are not protected, unless they are to be, and workers of a server are by the same grant', () => {
  const made = (props: Partial<HoldfastWorkerProps>, byServer = false): string => {
    const stack = new Stack(new App(), 'stack', { env: { region: 'eu-central-1' } });
    const network = new HoldfastNetwork(stack, 'network');
    const store = new HoldfastStore(stack, 'store', { tableName: 'jobs', queues: [{ name: 'mail' }] });
    const repository = ecr.Repository.fromRepositoryName(stack, 'images', 'images');
    const certificate = { secret: secretsmanager.Secret.fromSecretNameV2(stack, 'secret', 'secret') };
    const image = { repository, tagParameterName: '/tag' };
    const common = { image, module: 'worker.js', queues: ['mail'] };
    const place = byServer
      ? {
          ...{ certificate },
          server: new HoldfastServer(stack, 'server', {
            ...{ network, store, image, certificate, hostname: 'jobs.internal', front: 'nlb' },
          }),
        }
      : { store, network, cluster: new ecs.Cluster(stack, 'cluster', { vpc: network.vpc }) as ecs.ICluster };
    new HoldfastWorker(stack, 'worker', { ...common, ...place, ...props });
    return JSON.stringify(Template.fromStack(stack).toJSON());
  };
  const isProtected = (text: string) => [text.includes('--protect-task'), text.includes('ecs:UpdateTask')];
  const fixed = { minTasks: 3, maxTasks: 3 };
  expect(isProtected(made(fixed))).toEqual([false, false]);
  expect(isProtected(made({ ...fixed, protectTasks: true }))).toEqual([true, true]);
  expect(isProtected(made({ protectTasks: false }))).toEqual([false, false]);
  expect(isProtected(made({}, true))).toEqual([true, true]);
});
