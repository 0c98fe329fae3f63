import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  RunTaskCommand,
  type Task,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import { containerName } from '../../src/cdk/container/task.ts';
import type { DeployedCanary } from './stack-outputs.ts';

export interface ClusterRun {
  /** The status with which the command ended, undefined if it never started. */
  readonly exitCode: number | undefined;
  /** The reason that ECS gives for the end of the task. */
  readonly reason: string;
  readonly taskArn: string;
}

/**
 * Runs a command of `holdfast` as one task beside the canary: with its task definition, so with its image, identity, address of
 * the server and network. The front of a server is mostly inside a VPC, which a runner of CI does not reach, and the key of
 * the canary's certificate stays in AWS this way.
 */
export async function runInCluster(
  ecs: ECSClient,
  { cluster, service }: DeployedCanary,
  command: readonly string[],
  limits: { readonly waitSeconds: number; readonly pollSeconds: number },
): Promise<ClusterRun> {
  const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
  const { taskDefinition, networkConfiguration } = services[0] ?? {};
  if (taskDefinition === undefined) throw new Error(`the cluster '${cluster}' has no service '${service}'.`);
  const { tasks = [], failures = [] } = await ecs.send(
    new RunTaskCommand({
      ...{ cluster, taskDefinition, networkConfiguration, launchType: 'FARGATE', count: 1 },
      startedBy: 'holdfast-smoke',
      overrides: { containerOverrides: [{ name: containerName, command: [...command] }] },
    }),
  );
  const taskArn = tasks[0]?.taskArn;
  if (taskArn === undefined)
    throw new Error(
      `ECS started no task: ${failures.map(({ reason }) => reason).join(', ') || 'no reason given'}.`,
    );
  const { waitSeconds, pollSeconds } = limits;
  await waitUntilTasksStopped(
    { client: ecs, maxWaitTime: waitSeconds, minDelay: pollSeconds, maxDelay: pollSeconds },
    { cluster, tasks: [taskArn] },
  );
  const { tasks: ended = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [taskArn] }));
  return { taskArn, exitCode: exitCodeOf(ended[0]), reason: ended[0]?.stoppedReason ?? 'unknown' };
}

function exitCodeOf(task: Task | undefined): number | undefined {
  return task?.containers?.find(({ name }) => name === containerName)?.exitCode;
}
