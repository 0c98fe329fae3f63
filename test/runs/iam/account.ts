/** The account on the stand-in with the deployed stacks, and a role for each set of policies that is proved. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqsQueuesOf } from '../../../src/engines/aws/broker/sqs/definition.ts';
import { type DeployedStack, deployStack } from '../../stand-ins/cdk-stacks.ts';
import { type AwsClientConfig, type AwsStandIn, startMinistackAws } from '../../stand-ins/ministack-aws.ts';
import { writeParameter } from '../../stand-ins/parameters.ts';
import { adaptRole, createRole, type PolicyDocument } from '../../stand-ins/roles.ts';
import type { Names } from './replay.ts';
import { foreignRoles, type ProvedRole, provedRoles } from './roles.ts';
import { type StackName, stackNames, synthesize, tagParameter } from './stacks.ts';

export interface Role {
  readonly proved: ProvedRole;
  /** The policies as they are synthesized or printed. */
  readonly documents: readonly PolicyDocument[];
  readonly names: Names;
  credentials(): Promise<AwsClientConfig>;
}

export interface Account {
  readonly aws: AwsStandIn;
  readonly roles: readonly Role[];
  /** The policies of the roles that no process of Holdfast has. */
  readonly foreign: readonly PolicyDocument[];
  /** The credentials of a role without a policy. */
  readonly nobody: AwsClientConfig;
  stop(): Promise<void>;
}

/** Starts the stand-in and deploys the stacks. Throws an Error for a role of a template that nobody has judged. */
export async function openAccount(): Promise<Account> {
  const aws = await startMinistackAws();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-iam-'));
  const templates = await synthesize(folder, aws.region);
  rmSync(folder, { recursive: true, force: true });
  const deployed = {} as Record<StackName, DeployedStack>;
  const roles: Role[] = [];
  const foreign: PolicyDocument[] = [];
  // A stack that has services reads it, so that it is written before the first deployment (docs/deployment.md).
  await writeParameter(aws, tagParameter, '1.0.0');
  for (const stack of stackNames) {
    deployed[stack] = await deployStack(aws, stack, templates[stack]);
    for (const [logicalId, { Type }] of Object.entries(templates[stack].Resources)) {
      if (Type !== 'AWS::IAM::Role') continue;
      const roleName = deployed[stack].ids[logicalId] ?? '';
      const documents = await adaptRole(aws, roleName);
      const proved = provedRoles.find(
        ({ from }) => 'stack' in from && from.stack === stack && from.logicalId.test(logicalId),
      );
      if (proved !== undefined) {
        const arn = `arn:aws:iam::${aws.account}:role/${roleName}`;
        const cluster = deployed[stack].outputs.ServerClusterNameC32E189E ?? '';
        const names = namesOf(aws, proved.table, 'default', cluster);
        roles.push({ proved, documents, names, credentials: () => aws.assume(arn) });
      } else if (foreignRoles.some((one) => one.logicalId.test(logicalId))) foreign.push(...documents);
      else throw new Error(`the role ${logicalId} of ${stack} is neither proved nor named with a reason`);
    }
  }
  for (const [i, proved] of provedRoles.entries()) {
    if ('stack' in proved.from) continue;
    const { document } = proved.from;
    const arn = await createRole(aws, `by-docs-${i}`, document);
    const names = namesOf(aws, proved.table, 'mail', 'cluster');
    roles.push({ proved, documents: [document], names, credentials: () => aws.assume(arn) });
  }
  const nobody = await aws.assume(await createRole(aws, 'nobody', undefined));
  return { aws, roles, foreign, nobody, stop: () => aws.stop() };
}

function namesOf(aws: AwsStandIn, table: string, holdfastQueue: string, cluster: string): Names {
  const [{ name = '', deadName = '' } = {}] = sqsQueuesOf(table, { tenant: 'default', queue: holdfastQueue });
  const [{ name: unservedQueue = '' } = {}] = sqsQueuesOf(table, {
    tenant: 'default',
    queue: 'holdfast-canary',
  });
  const queueUrl = (one: string): string => `${aws.endpoint}/${aws.account}/${one}`;
  return { table, queue: name, deadQueue: deadName, unservedQueue, queueUrl, cluster };
}
