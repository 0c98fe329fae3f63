/** Compares the templates of dev and prod with the properties that a deployment must have. */
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { statusActions } from '../../src/core/deployments/actions.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import { tableDefinition } from '../../src/engines/aws/table/schema/definition.ts';
import { type Synthesized, synthesized } from './synthesized.ts';

let made: Synthesized;
let data: Template;
let prod: Template;
let dev: Template;
beforeAll(async () => {
  made = await synthesized();
  data = made.of('holdfast-prod-data');
  prod = made.of('holdfast-prod');
  dev = made.of('holdfast-dev');
});
afterAll(() => made.remove());

// biome-ignore lint/suspicious/noExplicitAny: the properties of resources are JSON of many shapes.
type Properties = Record<string, any>;
const all = (template: Template, type: string): Properties[] =>
  Object.values(template.findResources(type)).map((one) => one.Properties as Properties);
/** Returns the actions of all statements of the policies in a template, and their resources. */
const statements = (template: Template): Properties[] =>
  all(template, 'AWS::IAM::Policy').flatMap(({ PolicyDocument }) => PolicyDocument.Statement as Properties[]);

it('cdk-nag has no finding in dev and prod', () => {
  expect(new AwsSolutionsChecks(made.app).validateScope(made.app).violations).toEqual([]);
});

it('the table has the keys, indexes and time to live of the definition, on demand, with recovery and deletion protection', () => {
  data.hasResource('AWS::DynamoDB::GlobalTable', {
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
    Properties: Match.objectLike({
      TableName: 'holdfast-prod',
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: tableDefinition.ttl, Enabled: true },
      Replicas: [
        Match.objectLike({
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 35 },
        }),
      ],
      GlobalSecondaryIndexes: tableDefinition.indexes.map(({ name, partition, sort, projected }) =>
        Match.objectLike({
          IndexName: name,
          KeySchema: [
            { AttributeName: partition, KeyType: 'HASH' },
            { AttributeName: sort, KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: [...projected] },
        }),
      ),
    }),
  });
});

it('each queue has the attributes of the definition, a dead-letter queue, encryption and TLS alone, and is retained', () => {
  const definitions = ['default', 'holdfast-canary'].flatMap((queue) =>
    sqsQueuesOf('holdfast-prod', { tenant: 'default', queue }),
  );
  for (const { name, deadName, attributes } of definitions) {
    data.hasResource('AWS::SQS::Queue', {
      DeletionPolicy: 'Retain',
      Properties: Match.objectLike({
        QueueName: name,
        FifoQueue: true,
        DeduplicationScope: attributes.DeduplicationScope,
        FifoThroughputLimit: attributes.FifoThroughputLimit,
        VisibilityTimeout: Number(attributes.VisibilityTimeout),
        MessageRetentionPeriod: Number(attributes.MessageRetentionPeriod),
        RedrivePolicy: Match.objectLike({ maxReceiveCount: 100 }),
        SqsManagedSseEnabled: true,
      }),
    });
    data.hasResource('AWS::SQS::Queue', { Properties: Match.objectLike({ QueueName: deadName }) });
  }
  data.resourceCountIs('AWS::SQS::Queue', 4);
  data.resourceCountIs('AWS::SQS::QueuePolicy', 4);
});

it('the network has subnets without a route to the internet in each zone, no NAT, and the endpoints that are called', () => {
  for (const [template, zones] of [
    [dev, 2],
    [prod, 3],
  ] as const) {
    template.resourceCountIs('AWS::EC2::Subnet', zones);
    for (const type of ['NatGateway', 'InternetGateway']) template.resourceCountIs(`AWS::EC2::${type}`, 0);
    const endpoints = all(template, 'AWS::EC2::VPCEndpoint');
    const names = endpoints.map(
      ({ ServiceName }) =>
        (typeof ServiceName === 'string' ? ServiceName : JSON.stringify(ServiceName)).match(
          /(dynamodb|s3|sqs|logs|ecr\.api|ecr\.dkr|secretsmanager)/,
        )?.[1],
    );
    expect(names.sort()).toEqual(['dynamodb', 'ecr.api', 'ecr.dkr', 'logs', 's3', 'secretsmanager', 'sqs']);
    for (const { PolicyDocument } of endpoints) {
      for (const { Action } of PolicyDocument.Statement as Properties[])
        expect([Action].flat().filter((action: string) => action.includes('*'))).toEqual([]);
    }
  }
});

it('no role has a wildcard action, and a wildcard resource only where AWS has no other way', () => {
  const loose = statements(prod).filter(({ Resource }) => Resource === '*');
  expect(new Set(loose.flatMap(({ Action }) => [Action].flat()))).toEqual(
    // Amazon's service authorization reference names no resource for these.
    new Set(['ecr:GetAuthorizationToken', ...statusActions.taskDefinitions]),
  );
  expect(
    statements(prod)
      .flatMap(({ Action }) => [Action].flat())
      .filter((one: string) => one.includes('*')),
  ).toEqual([]);
});

it('the role of workers that scale may protect the tasks of its cluster from scale-in, and the role of no other task', () => {
  for (const template of [dev, prod]) {
    const grants = Object.values(template.findResources('AWS::IAM::Policy')).filter(({ Properties }) =>
      JSON.stringify(Properties).includes('ecs:UpdateTaskProtection'),
    );
    expect(grants).toHaveLength(1);
    const { Roles, PolicyDocument } = (grants[0] as Properties).Properties as Properties;
    const tasks = all(template, 'AWS::ECS::TaskDefinition');
    const worker = tasks.find(({ ContainerDefinitions }) => ContainerDefinitions[0].Command[0] === 'worker');
    expect(worker?.TaskRoleArn).toEqual({ 'Fn::GetAtt': [Roles[0].Ref, 'Arn'] });
    const cluster = Object.keys(template.findResources('AWS::ECS::Cluster'))[0];
    expect(PolicyDocument.Statement).toContainEqual({
      Effect: 'Allow',
      Action: 'ecs:UpdateTaskProtection',
      Resource: {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':ecs:eu-central-1:',
            { Ref: 'AWS::AccountId' },
            ':task/',
            { Ref: cluster },
            '/*',
          ],
        ],
      },
    });
  }
});

it('each task runs on arm64 with a read-only root, not as root, with an init process and logs that do not block', () => {
  const tasks = all(prod, 'AWS::ECS::TaskDefinition');
  expect(tasks).toHaveLength(3);
  for (const { RuntimePlatform, ContainerDefinitions } of tasks) {
    expect(RuntimePlatform).toEqual({ CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' });
    for (const container of ContainerDefinitions as Properties[]) {
      expect(container).toMatchObject({
        ReadonlyRootFilesystem: true,
        User: '1000:1000',
        LinuxParameters: { InitProcessEnabled: true, Capabilities: { Drop: ['ALL'] } },
        LogConfiguration: { LogDriver: 'awslogs', Options: { mode: 'non-blocking' } },
      });
    }
  }
});

it('the container of a server has the health check of the image, because ECS reads none of an image', () => {
  const containers = all(prod, 'AWS::ECS::TaskDefinition').flatMap(
    ({ ContainerDefinitions }) => ContainerDefinitions as Properties[],
  );
  const server = containers.find(({ Command }) => Command[0] === 'serve');
  expect(server).toMatchObject({
    HealthCheck: {
      Command: ['CMD', 'holdfast', 'health'],
      Interval: 30,
      Timeout: 10,
      Retries: 3,
      StartPeriod: 60,
    },
  });
  expect(server?.Command.join(' ')).toContain('--http-port 7480');
  expect(containers.filter(({ HealthCheck }) => HealthCheck !== undefined)).toHaveLength(1);
});

it('a worker may drain for 110 s and is killed after 120 s at the earliest', () => {
  const containers = all(prod, 'AWS::ECS::TaskDefinition').flatMap(
    ({ ContainerDefinitions }) => ContainerDefinitions as Properties[],
  );
  const worker = containers.find(({ Command }) => Command[0] === 'worker');
  expect(worker).toMatchObject({ StopTimeout: 120 });
  expect(worker?.Command.join(' ')).toContain('--drain 110s');
  expect(containers.find(({ Command }) => Command[0] === 'serve')).toMatchObject({ StopTimeout: 30 });
});

it('the tag of the image is read at each deployment from a parameter of SSM, which no stack writes', () => {
  const parameters = Object.values(prod.toJSON().Parameters as Record<string, Properties>);
  expect(parameters).toContainEqual({
    Type: 'AWS::SSM::Parameter::Value<String>',
    Default: '/holdfast/prod/image-tag',
  });
  for (const template of [data, prod])
    expect(JSON.stringify(template.findResources('AWS::SSM::Parameter'))).not.toContain(
      '"Name":"/holdfast/prod/image-tag"',
    );
});

it('each service has a parameter by which holdfast deploy finds it, and keeps the revisions to which it may go back', () => {
  for (const name of ['api', 'worker', 'canary']) {
    const [found] = Object.values(
      prod.findResources('AWS::SSM::Parameter', { Properties: { Name: `/holdfast/prod/services/${name}` } }),
    );
    const value = JSON.stringify(found?.Properties.Value);
    for (const part of ['cluster', 'service', 'repository', '/holdfast/prod/image-tag', 'holdfast-prod-'])
      expect(value, name).toContain(part);
  }
  const definitions = Object.values(prod.findResources('AWS::ECS::TaskDefinition'));
  expect(definitions.map(({ UpdateReplacePolicy }) => UpdateReplacePolicy)).toEqual(
    definitions.map(() => 'Retain'),
  );
});

it('a deployment of the server is taken back by the circuit breaker and by the alarms of refused calls and unserved tasks', () => {
  prod.hasResourceProperties('AWS::ECS::Service', {
    DesiredCount: 3,
    DeploymentConfiguration: Match.objectLike({
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      Alarms: Match.objectLike({
        Enable: true,
        Rollback: true,
        AlarmNames: [Match.anyValue(), Match.anyValue()],
      }),
      MinimumHealthyPercent: 100,
      Strategy: 'CANARY',
      CanaryConfiguration: { CanaryPercent: 10, CanaryBakeTimeInMinutes: 10 },
    }),
  });
});

it('the load balancer verifies clients by a trust store whose key follows from the bundle, and speaks gRPC to the server', () => {
  prod.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    Port: 443,
    Protocol: 'HTTPS',
    MutualAuthentication: Match.objectLike({ Mode: 'verify', IgnoreClientCertificateExpiry: false }),
  });
  prod.hasResourceProperties('AWS::ElasticLoadBalancingV2::TrustStore', {
    CaCertificatesBundleS3Key: Match.stringLikeRegexp('^[0-9a-f]{64}\\.crt$'),
  });
  prod.allResourcesProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    ProtocolVersion: 'GRPC',
    Protocol: 'HTTPS',
    HealthCheckPath: '/grpc.health.v1.Health/Check',
    Matcher: { GrpcCode: '0' },
    TargetGroupAttributes: Match.arrayWith([{ Key: 'deregistration_delay.timeout_seconds', Value: '300' }]),
  });
  prod.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
    Scheme: 'internal',
    LoadBalancerAttributes: Match.arrayWith([
      { Key: 'idle_timeout.timeout_seconds', Value: '300' },
      { Key: 'access_logs.s3.enabled', Value: 'true' },
    ]),
  });
});

it('the front nlb passes TCP through and asks for health over HTTPS', () => {
  dev.allResourcesProperties('AWS::ElasticLoadBalancingV2::Listener', { Protocol: 'TCP' });
  dev.allResourcesProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    Protocol: 'TCP',
    HealthCheckProtocol: 'HTTPS',
    HealthCheckPath: '/healthz',
  });
  dev.resourceCountIs('AWS::ElasticLoadBalancingV2::TrustStore', 0);
});

it('workers scale by the backlog and by the age of the oldest ready task, and run on Spot in dev alone', () => {
  for (const template of [dev, prod]) {
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 1);
    const alarms = JSON.stringify(all(template, 'AWS::CloudWatch::Alarm'));
    for (const name of ['OldestReadyAge', 'ReadyTasks', 'RunningTaskCount'])
      expect(alarms).toContain(`"${name}"`);
  }
  const isSpot = (template: Template) =>
    JSON.stringify(all(template, 'AWS::ECS::Service')).includes('FARGATE_SPOT');
  expect([isSpot(dev), isSpot(prod)]).toEqual([true, false]);
});

it('each alert of the runbooks has an alarm', () => {
  const ids = [
    ...Object.keys(prod.findResources('AWS::CloudWatch::Alarm')),
    ...Object.keys(prod.findResources('AWS::CloudWatch::CompositeAlarm')),
  ];
  const names = [
    'OldestReady',
    'Unserved',
    'DeadInflow',
    'SweepLag',
    'LeaseExpiries',
    'CertificateExpiry',
    'NoSeries',
    'CanaryMissing',
    'FastBudgetBurn',
    'SlowBudgetBurn',
  ];
  for (const name of names)
    expect(
      ids.some((id) => id.startsWith(`Alarms${name}`)),
      name,
    ).toBe(true);
});

it('the command lines give each process its store, its certificate and the namespace of its metrics', () => {
  const commands = [dev, prod].map((template) =>
    all(template, 'AWS::ECS::TaskDefinition')
      .flatMap(({ ContainerDefinitions }) => ContainerDefinitions as Properties[])
      .map(({ Command }) =>
        (Command as unknown[]).map((word) => (typeof word === 'string' ? word : '<token>')).join(' '),
      )
      .sort(),
  );
  const certificate = '--ca env:HOLDFAST_CA_PEM --cert env:HOLDFAST_CERT_PEM --key env:HOLDFAST_KEY_PEM';
  const serve = (stage: string, alb: string) =>
    `serve --engine aws --table holdfast-${stage} --queue-prefix holdfast-${stage} --host 0.0.0.0 --port 7433 --http-port 7480 ${certificate} --policy env:HOLDFAST_POLICY_JSON${alb} --emf Holdfast/holdfast-${stage}`;
  expect(commands[0]).toContain(serve('dev', ''));
  expect(commands[1]).toEqual([
    'aws init --table holdfast-prod --queue-prefix holdfast-prod --tenant default --priorities normal --queue default,holdfast-canary',
    'canary --queue holdfast-canary --emf Holdfast/holdfast-prod',
    serve('prod', ' --alb-port 7434 --alb-from <token> --alb-protocol tls'),
    'worker worker.js --engine aws --table holdfast-prod --queue-prefix holdfast-prod --drain 110s --protect-task --emf Holdfast/holdfast-prod',
  ]);
});

it('a port of the server is open to the load balancer alone, and the load balancer to the canary alone', () => {
  const ingress = all(prod, 'AWS::EC2::SecurityGroupIngress').map(
    ({ FromPort, Description }) => `${FromPort} ${Description}`,
  );
  const ofServer = ingress.filter((text) => text.startsWith('7434 '));
  expect(new Set(ofServer.map((text) => text.replace(/^7434 /, '')))).toEqual(
    new Set(['Load balancer to target']),
  );
  expect(ingress.filter((text) => /^443 probes/.test(text))).toHaveLength(1);
  expect(
    JSON.stringify(
      all(prod, 'AWS::EC2::SecurityGroup').flatMap(({ SecurityGroupIngress = [] }) => SecurityGroupIngress),
    ),
  ).not.toContain('0.0.0.0/0');
});
