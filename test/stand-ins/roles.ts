/** Roles of IAM on the stand-in for an account of AWS, and what must be added to their policies there. */
import {
  CreateRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import type { AwsStandIn } from './ministack-aws.ts';

export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

const batched = ['SendMessage', 'DeleteMessage', 'ChangeMessageVisibility'].map((name) => `sqs:${name}`);

/**
 * Returns the copy of a policy that ministack is given. It has what ministack wants and AWS does not: actions for batches of
 * SQS, which AWS judges as the single action, and the cluster as the resource of the protection of a task.
 */
export function forMinistack({ Version, Statement }: PolicyDocument): PolicyDocument {
  const more = Statement.map((one) => {
    const actions = [one.Action].flat();
    const resources = [one.Resource].flat();
    const isProtection = actions.includes('ecs:UpdateTaskProtection');
    const clusters = isProtection
      ? resources.map((arn) => arn.replace(/:task\/(.+)\/\*$/, ':cluster/$1'))
      : [];
    return {
      ...one,
      Action: [
        ...actions,
        ...actions.filter((action) => batched.includes(action)).map((name) => `${name}Batch`),
      ],
      Resource: [...resources, ...clusters],
    };
  });
  return { Version, Statement: more };
}

/** Returns the inline policies of a role as they were deployed, and gives ministack what it wants in their place. */
export async function adaptRole(aws: AwsStandIn, RoleName: string): Promise<readonly PolicyDocument[]> {
  const iam = new IAMClient(aws.root);
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const documents: PolicyDocument[] = [];
  for (const PolicyName of PolicyNames) {
    const found = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    const document = JSON.parse(decodeURIComponent(found.PolicyDocument ?? '')) as PolicyDocument;
    documents.push(document);
    const adapted = JSON.stringify(forMinistack(document));
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: adapted }));
  }
  iam.destroy();
  return documents;
}

/** Creates a role with at most one policy, which ministack gets as it wants it. Returns its ARN. */
export async function createRole(
  aws: AwsStandIn,
  RoleName: string,
  document: PolicyDocument | undefined,
): Promise<string> {
  const iam = new IAMClient(aws.root);
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: aws.account } };
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  if (document !== undefined) {
    const PolicyDocument = JSON.stringify(forMinistack(document));
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'policy', PolicyDocument }));
  }
  iam.destroy();
  return Role?.Arn ?? '';
}
