/** The roles that are proved, whose calls each must allow, and the roles of AWS's own parts, which are not proved. */
import { printedPolicy } from '../../../scripts/policies-docs.ts';
import type { PermissionName } from '../../../src/engines/aws/policies.ts';
import type { PolicyDocument } from '../../stand-ins/roles.ts';
import type { Caller } from './calls.ts';
import type { StackName } from './stacks.ts';

export interface ProvedRole {
  readonly name: string;
  readonly callers: readonly Caller[];
  /** The names of the table and the first part of the names of the queues for which the role is made. */
  readonly table: string;
  readonly from:
    | { readonly stack: StackName; readonly logicalId: RegExp }
    | { readonly document: PolicyDocument };
}

const prod = 'holdfast-prod';

const inStack = (stack: StackName, logicalId: RegExp) => ({ table: prod, from: { stack, logicalId } });
const inDocs = (names: readonly PermissionName[]) => ({
  table: 'jobs',
  from: { document: JSON.parse(printedPolicy(names)) as PolicyDocument },
});

export const provedRoles: readonly ProvedRole[] = [
  {
    ...{ name: 'server', callers: ['server', 'register'] },
    ...inStack(prod, /^ServerTaskDefinitionTaskRole/),
  },
  { name: 'worker', callers: ['worker', 'agent'], ...inStack(prod, /^WorkerTaskDefinitionTaskRole/) },
  { name: 'canary', callers: [], ...inStack(prod, /^CanaryTaskDefinitionTaskRole/) },
  {
    ...{ name: 'worker over gRPC', callers: ['agent'] },
    ...inStack('holdfast-more', /^GrpcWorkerTaskDefinitionTaskRole/),
  },
  { name: 'submitter', callers: ['submit'], ...inStack('holdfast-more', /^Submitter/) },
  { name: 'reader', callers: ['read'], ...inStack('holdfast-more', /^Reader/) },
  { name: 'operator', callers: ['drain', 'redispatch'], ...inStack('holdfast-more', /^Operator/) },
  { name: 'server by docs/aws.md', callers: ['server'], ...inDocs(['serve']) },
  { name: 'worker by docs/aws.md', callers: ['worker'], ...inDocs(['work']) },
  {
    ...{ name: 'operator by docs/aws.md', callers: ['drain', 'redispatch', 'init'] },
    ...inDocs(['drain', 'redispatch', 'init']),
  },
];

/** Roles in the templates that no process of Holdfast has. */
export const foreignRoles: readonly { readonly logicalId: RegExp; readonly reason: string }[] = [
  {
    logicalId: /ExecutionRole/,
    reason: 'ECS starts a task with it: it pulls the image, reads the secrets and writes the log.',
  },
  { logicalId: /FlowLogIAMRole/, reason: 'The VPC writes its flow log with it.' },
  { logicalId: /ServiceAlternateRole/, reason: 'ECS shifts traffic with it, by a policy that AWS keeps.' },
  { logicalId: /^ServerTaskDefinitionTaskRole/, reason: 'It is the role of the server a second time.' },
  {
    logicalId: /^ReleaseRole/,
    reason:
      'A workflow on GitHub assumes it, mostly for tools that are not Holdfast. test/cdk/release.spec.ts compares its grants with their calls and with those of `holdfast deploy status` and `npm run smoke`.',
  },
];

/** Grants that stay although no recorded call has used them, each with its reason. */
export const unusedForAReason: readonly {
  readonly roles: RegExp;
  readonly grant: RegExp;
  readonly reason: string;
}[] = [
  {
    roles: /^(submitter|reader)$/,
    grant: /^dynamodb:GetItem on table$/,
    reason:
      'The newest task of a key is read in a transaction while another process accepts the key again. No program provokes that moment.',
  },
];

/** Returns the reason for which a role keeps a grant that no call has used; undefined if there is none. */
export function reasonOfUnused(role: string, grant: string): string | undefined {
  return unusedForAReason.find((one) => one.roles.test(role) && one.grant.test(grant))?.reason;
}
