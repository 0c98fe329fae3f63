/** Deploys stacks of the CDK to the stand-in for an account of AWS. */
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import {
  DynamoDBClient,
  UpdateTimeToLiveCommand,
  type UpdateTimeToLiveCommandInput,
} from '@aws-sdk/client-dynamodb';
import { type AppProps, DefaultStackSynthesizer } from 'aws-cdk-lib';
import type { AwsStandIn } from './ministack-aws.ts';

/** Properties of an app whose stacks can be deployed without a bootstrapped account. */
export function standInApp(): AppProps {
  const defaultStackSynthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
  // The CDK's own class does not fit its interface under exactOptionalPropertyTypes.
  return { defaultStackSynthesizer } as AppProps;
}

export interface CloudTemplate {
  readonly Resources: Record<string, CloudResource>;
  readonly [part: string]: unknown;
}

interface CloudResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
}

/**
 * The types of resources that ministack does not know, as docs/deployment.md lists them with what shows each in its place. Of
 * AWS::CloudWatch::Alarm it knows those of a single metric.
 */
export const unknownTypes: readonly string[] = [
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
  'AWS::EC2::FlowLog',
  'AWS::EC2::SecurityGroupEgress',
  'AWS::EC2::SecurityGroupIngress',
  'AWS::ECS::ClusterCapacityProviderAssociations',
  'AWS::ElasticLoadBalancingV2::TrustStore',
];

/** Whether ministack cannot create a resource. */
function isUnknown({ Type, Properties }: CloudResource): boolean {
  if (Type === 'AWS::CloudWatch::Alarm') return Properties?.Metrics !== undefined;
  return unknownTypes.includes(Type);
}

/**
 * Returns a copy of a template without the resources that ministack does not know. What refers to one of them gets its
 * logical id in place of the value, and `CidrBlock` of a VPC, which ministack does not return, is the value itself.
 */
export function knownParts(template: CloudTemplate): CloudTemplate {
  const { Resources } = template;
  const removed = new Set(
    Object.entries(Resources).flatMap(([id, resource]) => (isUnknown(resource) ? [id] : [])),
  );
  const cidrOf = (id: string): unknown => Resources[id]?.Properties?.CidrBlock;
  const replace = (_key: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
    const [id = Ref ?? '', name] = attribute ?? [];
    if (removed.has(id)) return id;
    return name === 'CidrBlock' ? cidrOf(id) : value;
  };
  const kept = Object.entries(Resources).flatMap(([id, resource]) => {
    if (removed.has(id)) return [];
    const after = [resource.DependsOn ?? []].flat().filter((one) => !removed.has(one));
    const { DependsOn: _, ...rest } = resource;
    return [[id, after.length === 0 ? rest : { ...rest, DependsOn: after }] as const];
  });
  return JSON.parse(
    JSON.stringify({ ...template, Resources: Object.fromEntries(kept) }, replace),
  ) as CloudTemplate;
}

export interface DeployedStack {
  readonly outputs: Readonly<Record<string, string>>;
  /** The physical ids of the resources by their logical ids, such as the name of a role. */
  readonly ids: Readonly<Record<string, string>>;
}

const pollMs = 20;
const deployTimeoutMs = 30_000;

/**
 * Deploys a template as root, without the parts that ministack does not know. Throws an Error with the reasons of
 * CloudFormation if a resource cannot be created.
 */
export async function deployStack(
  aws: AwsStandIn,
  name: string,
  template: CloudTemplate,
): Promise<DeployedStack> {
  const client = new CloudFormationClient(aws.root);
  try {
    await client.send(new CreateStackCommand(requestOf(name, template)));
    const outputs = await untilComplete(client, name, 'CREATE');
    await enableTtl(aws, template);
    const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName: name }));
    return {
      outputs,
      ids: Object.fromEntries(
        StackResources.map((one) => [one.LogicalResourceId ?? '', one.PhysicalResourceId ?? '']),
      ),
    };
  } finally {
    client.destroy();
  }
}

/**
 * Deploys a template again, as the next `cdk deploy` does: parameters of SSM that it reads are read anew. A deployment that
 * would change nothing is none.
 */
export async function deployAgain(aws: AwsStandIn, name: string, template: CloudTemplate): Promise<void> {
  const client = new CloudFormationClient(aws.root);
  try {
    await client.send(new UpdateStackCommand(requestOf(name, template)));
    await untilComplete(client, name, 'UPDATE');
  } catch (thrown) {
    if (!(thrown instanceof Error && thrown.message.includes('No updates are to be performed'))) throw thrown;
  } finally {
    client.destroy();
  }
}

function requestOf(StackName: string, template: CloudTemplate) {
  const TemplateBody = JSON.stringify(knownParts(template));
  return { StackName, TemplateBody, Capabilities: ['CAPABILITY_NAMED_IAM' as const] };
}

/** Waits for the end of a deployment and returns the outputs of the stack. */
async function untilComplete(
  client: CloudFormationClient,
  StackName: string,
  what: 'CREATE' | 'UPDATE',
): Promise<Record<string, string>> {
  for (const untilMs = Date.now() + deployTimeoutMs; ; ) {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
    const { StackStatus = '', Outputs = [] } = Stacks?.[0] ?? {};
    if (StackStatus === `${what}_COMPLETE`)
      return Object.fromEntries(Outputs.map((one) => [one.OutputKey ?? '', one.OutputValue ?? '']));
    if (!StackStatus.startsWith(`${what}_`) || StackStatus.endsWith('_FAILED') || Date.now() > untilMs)
      throw new Error(`the stack ${StackName} is ${StackStatus}: ${await reasonsOf(client, StackName)}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Enables the time to live of the tables in a template, which ministack's CloudFormation forgets. */
async function enableTtl(aws: AwsStandIn, { Resources }: CloudTemplate): Promise<void> {
  const client = new DynamoDBClient(aws.root);
  for (const { Type, Properties = {} } of Object.values(Resources)) {
    if (Type !== 'AWS::DynamoDB::GlobalTable' || Properties.TimeToLiveSpecification === undefined) continue;
    const { TableName, TimeToLiveSpecification } = Properties as unknown as UpdateTimeToLiveCommandInput;
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  }
  client.destroy();
}

async function reasonsOf(client: CloudFormationClient, StackName: string): Promise<string> {
  const { StackEvents = [] } = await client.send(new DescribeStackEventsCommand({ StackName }));
  const failed = StackEvents.filter(({ ResourceStatus }) => ResourceStatus?.endsWith('_FAILED'));
  return failed.map((one) => `${one.LogicalResourceId} ${one.ResourceStatusReason}`).join('; ');
}
