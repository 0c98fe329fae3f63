import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Acknowledges one finding of cdk-nag's AwsSolutions on a construct. The reason stands in the code beside the resource, and
 * in the report of the synthesis.
 */
export function acknowledge(scope: IConstruct, rule: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** Acknowledges the wildcard in one ARN of a policy. The finding names the ARN with each reference as `<LogicalId>`. */
export function acknowledgeWildcard(scope: IConstruct, arn: string, reason: string): void {
  acknowledge(scope, `IAM5[Resource::${withoutReferences(Stack.of(scope).resolve(arn))}]`, reason);
}

function withoutReferences(part: unknown): string {
  if (typeof part === 'string') return part;
  const { Ref, 'Fn::Join': join } = part as {
    readonly Ref?: string;
    readonly 'Fn::Join'?: [string, unknown[]];
  };
  if (Ref !== undefined) return `<${Ref}>`;
  return join === undefined ? JSON.stringify(part) : join[1].map(withoutReferences).join(join[0]);
}
