import type { Deployment } from '@aws-sdk/client-ecs';
import { HoldfastError } from '../../../core/errors.ts';
import type { Deployable, Revision, ServiceState, TaskHealth } from '../port.ts';
import type { Clients } from './clients.ts';
import { calling } from './errors.ts';
import type { Revisions } from './revisions.ts';
import type { Rollouts } from './rollouts.ts';

/** Returns a service as ECS shows it now. */
export async function serviceState(
  { ecs, ecsModule, region }: Clients,
  deployable: Deployable,
  revisions: Revisions,
  rollouts: Rollouts,
): Promise<ServiceState> {
  const { cluster, service } = deployable;
  const { services = [] } = await calling('ECS', region, () =>
    ecs.send(new ecsModule.DescribeServicesCommand({ cluster, services: [service] })),
  );
  const [found] = services;
  if (found === undefined || found.status === 'INACTIVE') throw noService(deployable, region);
  const deployments = found.deployments ?? [];
  const primary = deployments.find(({ status }) => status === 'PRIMARY');
  const arn = primary?.taskDefinition ?? found.taskDefinition;
  if (arn === undefined) throw noService(deployable, region);
  return {
    primary: await revisions.get(arn),
    rolloutState: primary?.rolloutState ?? 'COMPLETED',
    rolloutReason: primary?.rolloutStateReason || undefined,
    desired: found.desiredCount ?? 0,
    running: primary?.runningCount ?? found.runningCount ?? 0,
    pending: primary?.pendingCount ?? found.pendingCount ?? 0,
    failed: primary?.failedTasks ?? 0,
    othersRunning: deployments
      .filter((one) => one !== primary)
      .reduce((sum, { runningCount = 0 }: Deployment) => sum + runningCount, 0),
    rollouts: await rollouts.of(deployable),
  };
}

function noService({ name, stage, cluster, service }: Deployable, region: string): HoldfastError {
  const message = `The service ${name} of ${stage} does not exist in ECS in ${region} (cluster ${cluster}, service ${service}).`;
  return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
    help: 'Deploy the stack again: `cdk deploy`.',
  });
}

export async function updateService(
  { ecs, ecsModule, region }: Clients,
  { cluster, service }: Deployable,
  { arn }: Revision,
): Promise<void> {
  const request = { cluster, service, taskDefinition: arn };
  await calling('ECS', region, () => ecs.send(new ecsModule.UpdateServiceCommand(request)));
}

/** Counts the tasks of a service that run, and those among them that ECS finds unhealthy. */
export async function taskHealth(
  { ecs, ecsModule, region }: Clients,
  { cluster, service }: Deployable,
): Promise<TaskHealth> {
  const arns: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await calling('ECS', region, () =>
      ecs.send(
        new ecsModule.ListTasksCommand({
          ...{ cluster, serviceName: service, desiredStatus: 'RUNNING' },
          ...(nextToken !== undefined && { nextToken }),
        }),
      ),
    );
    arns.push(...(page.taskArns ?? []));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  let running = 0;
  let unhealthy = 0;
  // A call describes at most 100 tasks.
  for (let i = 0; i < arns.length; i += 100) {
    const { tasks = [] } = await calling('ECS', region, () =>
      ecs.send(new ecsModule.DescribeTasksCommand({ cluster, tasks: arns.slice(i, i + 100) })),
    );
    running += tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING').length;
    unhealthy += tasks.filter(({ healthStatus }) => healthStatus === 'UNHEALTHY').length;
  }
  return { running, unhealthy };
}
