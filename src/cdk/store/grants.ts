import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { type PermissionName, type PolicyResources, statementsOf } from '../../engines/aws/policies.ts';

export type StoreArns = PolicyResources;

/** Adds the statements of some permissions to a role. Each names its resources: no statement has a wildcard. */
export function grant(
  role: iam.IGrantable,
  names: readonly PermissionName[],
  arns: StoreArns,
  key: kms.IKey | undefined,
): void {
  for (const { Action, Resource } of statementsOf(names, arns)) {
    const statement = new iam.PolicyStatement({ actions: [...Action], resources: [...Resource] });
    role.grantPrincipal.addToPrincipalPolicy(statement);
  }
  if (key === undefined) return;
  // SQS decrypts and makes data keys with the rights of its caller; DynamoDB uses a grant of the table's own.
  const actions = ['kms:Decrypt', 'kms:GenerateDataKey'];
  role.grantPrincipal.addToPrincipalPolicy(new iam.PolicyStatement({ actions, resources: [key.keyArn] }));
}
