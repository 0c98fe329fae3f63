import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { AwsStandIn } from './ministack-aws.ts';

/** Writes a parameter of SSM, as the administrator of the account. */
export async function writeParameter(aws: AwsStandIn, name: string, value: string): Promise<void> {
  const ssm = new SSMClient(aws.root);
  try {
    await ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: 'String', Overwrite: true }));
  } finally {
    ssm.destroy();
  }
}
