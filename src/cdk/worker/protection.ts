import { Stack } from 'aws-cdk-lib';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import { acknowledgeWildcard } from '../acknowledge.ts';

/**
 * Lets the agent of ECS protect a task by the task's own role. A task's id is known when it starts, so the grant names the
 * tasks of the cluster. The agent reaches ECS by itself: no endpoint of the network is called.
 */
export function grantProtection(role: iam.IRole, cluster: ecs.ICluster): void {
  const stack = Stack.of(role);
  const tasks = stack.formatArn({
    service: 'ecs',
    resource: 'task',
    resourceName: `${cluster.clusterName}/*`,
  });
  role.addToPrincipalPolicy(
    new iam.PolicyStatement({ actions: ['ecs:UpdateTaskProtection'], resources: [tasks] }),
  );
  const reason =
    'AWS gives a task of ECS its id when it starts. The ARN is limited to the cluster, and the action to protection.';
  acknowledgeWildcard(role, tasks, reason);
}
