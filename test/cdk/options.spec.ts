/** Compares what options of the constructs change in a template: the front, the kind of deployment, the collector and the release role. */
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, it } from 'vitest';
import { exampleListener } from '../../deploy/cdk/synth.ts';
import {
  HoldfastNetwork,
  HoldfastServer,
  type HoldfastServerProps,
  HoldfastStore,
} from '../../src/cdk/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: the properties of resources are JSON of many shapes.
type Properties = Record<string, any>;

/** Returns the template of a server with the given properties, after cdk-nag has found nothing in it. */
function templateOf(props: (stack: Stack) => Partial<HoldfastServerProps>, publicSubnets = false): Template {
  const app = new App();
  const stack = new Stack(app, 'stack', { env: { region: 'eu-central-1' } });
  const secret = secretsmanager.Secret.fromSecretNameV2(stack, 'secret', 'secret');
  const repository = ecr.Repository.fromRepositoryName(stack, 'images', 'images');
  new HoldfastServer(stack, 'Server', {
    network: new HoldfastNetwork(stack, 'Network', { publicSubnets }),
    store: new HoldfastStore(stack, 'Store', { tableName: 'jobs', queues: [{ name: 'mail' }] }),
    ...{ certificate: { secret }, image: { repository, tagParameterName: '/tag' } },
    ...{ hostname: 'jobs.example.org', front: 'nlb' },
    ...props(stack),
  });
  expect(new AwsSolutionsChecks(app).validateScope(app).violations).toEqual([]);
  return Template.fromStack(stack);
}

const alb = (stack: Stack): Partial<HoldfastServerProps> => ({
  front: 'alb',
  listenerCertificates: [acm.Certificate.fromCertificateArn(stack, 'certificate', exampleListener)],
  trustBundleBucket: s3.Bucket.fromBucketName(stack, 'bundles', 'bundles'),
  trustBundleKey: 'bundle-1.pem',
});

const all = (template: Template, type: string): Properties[] =>
  Object.values(template.findResources(type)).map((one) => one.Properties as Properties);

it('a linear deployment shifts 10 % every 6 minutes between two target groups, before each front', () => {
  for (const [front, groups] of [
    [alb, 2],
    [() => ({}), 4],
  ] as const) {
    const template = templateOf((stack) => ({ ...front(stack), deployment: 'linear' }));
    template.hasResourceProperties('AWS::ECS::Service', {
      DeploymentConfiguration: Match.objectLike({
        Strategy: 'LINEAR',
        BakeTimeInMinutes: 5,
        LinearConfiguration: { StepPercent: 10, StepBakeTimeInMinutes: 6 },
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      }),
      LoadBalancers: Match.arrayWith([
        Match.objectLike({
          AdvancedConfiguration: Match.objectLike({
            AlternateTargetGroupArn: Match.anyValue(),
            ProductionListenerRule: Match.anyValue(),
          }),
        }),
      ]),
    });
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::TargetGroup', groups);
  }
});

it('an internet-facing front is in the public subnets with the given security group, and the tasks are not', () => {
  for (const front of [alb, () => ({})]) {
    const template = templateOf((stack) => ({ ...front(stack), internetFacing: true }), true);
    const [balancer] = all(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
    expect(balancer?.Scheme).toBe('internet-facing');
    const subnetsOf = (subnets: unknown[]) => subnets.map((one) => (one as { Ref: string }).Ref);
    for (const name of subnetsOf(balancer?.Subnets)) expect(name).toMatch(/front/);
    expect(balancer?.SecurityGroups).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^ServerFrontSecurityGroup/), 'GroupId'] },
    ]);
    const [service] = all(template, 'AWS::ECS::Service');
    const network = service?.NetworkConfiguration.AwsvpcConfiguration;
    expect(network.AssignPublicIp).toBe('DISABLED');
    for (const name of subnetsOf(network.Subnets)) expect(name).toMatch(/tasks/);
    template.resourceCountIs('AWS::EC2::InternetGateway', 1);
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
  }
});

it('a collector runs beside the server with its configuration from SSM, and the server exports to it on localhost', () => {
  const template = templateOf((stack) => ({
    telemetry: {
      collector: {
        image: ecs.ContainerImage.fromEcrRepository(
          ecr.Repository.fromRepositoryName(stack, 'collectors', 'collectors'),
          '1',
        ),
        config: ssm.StringParameter.fromStringParameterName(
          stack,
          'config',
          '/collector',
        ) as ssm.IStringParameter,
        ...{ service: 'xray', actions: ['xray:PutTraceSegments'] },
      },
    },
  }));
  const containers = all(template, 'AWS::ECS::TaskDefinition').flatMap(
    ({ ContainerDefinitions }) => ContainerDefinitions as Properties[],
  );
  expect(containers.find(({ Name }) => Name === 'collector')).toMatchObject({
    ...{ Essential: false, Memory: 128, User: '10001', ReadonlyRootFilesystem: true },
    Command: ['--config=env:OTEL_CONFIG'],
    Secrets: [{ Name: 'OTEL_CONFIG', ValueFrom: expect.anything() }],
  });
  expect(containers.find(({ Name }) => Name === 'holdfast')?.Environment).toContainEqual({
    Name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    Value: 'http://127.0.0.1:4318',
  });
  const endpoints = all(template, 'AWS::EC2::VPCEndpoint').map(({ ServiceName }) =>
    JSON.stringify(ServiceName),
  );
  for (const name of ['xray', 'ssm'])
    expect(
      endpoints.some((one) => one.includes(name)),
      name,
    ).toBe(true);
});

it('a web ACL stands before the alb, and none by default', () => {
  const arn = 'arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/jobs/1';
  templateOf((stack) => ({ ...alb(stack), webAclArn: arn })).hasResourceProperties(
    'AWS::WAFv2::WebACLAssociation',
    {
      WebACLArn: arn,
      ResourceArn: Match.objectLike({ Ref: Match.stringLikeRegexp('^ServerAlb') }),
    },
  );
  templateOf(alb).resourceCountIs('AWS::WAFv2::WebACLAssociation', 0);
});

it('an alias record of the hostname leads to the load balancer, and none by default', () => {
  for (const front of [alb, () => ({})]) {
    const template = templateOf((stack) => ({
      ...front(stack),
      hostedZone: route53.HostedZone.fromHostedZoneAttributes(stack, 'zone', {
        ...{ hostedZoneId: 'Z1', zoneName: 'example.org' },
      }),
    }));
    template.hasResourceProperties('AWS::Route53::RecordSet', {
      ...{ Name: 'jobs.example.org.', Type: 'A', HostedZoneId: 'Z1' },
      AliasTarget: Match.objectLike({ DNSName: Match.anyValue() }),
    });
  }
  templateOf(alb).resourceCountIs('AWS::Route53::RecordSet', 0);
});
