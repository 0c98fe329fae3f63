import type { ServiceDeployment } from '@aws-sdk/client-ecs';
import {
  type Deployable,
  type Revision,
  type Rollout,
  type RolloutStatus,
  rolloutStatuses,
} from '../port.ts';
import type { Clients } from './clients.ts';
import { calling } from './errors.ts';
import type { Revisions } from './revisions.ts';

/** The newest service deployments that are described. */
const described = 10;

/** Errors that say that a rollout cannot be stopped any more: it has ended, or ECS stops it already. */
const ended: ReadonlySet<string> = new Set(['ServiceDeploymentNotFoundException', 'ConflictException']);

/** Reads and stops the service deployments of ECS. */
export class Rollouts {
  readonly #clients: Clients;
  readonly #revisions: Revisions;
  /** The task definitions of service revisions, which never change. */
  readonly #definitions = new Map<string, string>();

  constructor(clients: Clients, revisions: Revisions) {
    this.#clients = clients;
    this.#revisions = revisions;
  }

  /** Returns the newest rollouts of a service, the newest first. */
  async of({ cluster, service }: Deployable): Promise<readonly Rollout[]> {
    const { ecs, ecsModule, region } = this.#clients;
    const { serviceDeployments: briefs = [] } = await calling('ECS', region, () =>
      ecs.send(new ecsModule.ListServiceDeploymentsCommand({ cluster, service })),
    );
    const arns = briefs
      .sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
      .flatMap(({ serviceDeploymentArn }) => serviceDeploymentArn ?? [])
      .slice(0, described);
    if (arns.length === 0) return [];
    const { serviceDeployments = [] } = await calling('ECS', region, () =>
      ecs.send(new ecsModule.DescribeServiceDeploymentsCommand({ serviceDeploymentArns: arns })),
    );
    await this.#readDefinitions(serviceDeployments);
    const found = await Promise.all(serviceDeployments.map((one) => this.#rollout(one)));
    return found.filter((one) => one !== undefined).sort((a, b) => arns.indexOf(a.arn) - arns.indexOf(b.arn));
  }

  async stop(arn: string): Promise<void> {
    const { ecs, ecsModule, region } = this.#clients;
    const request = { serviceDeploymentArn: arn, stopType: 'ROLLBACK' } as const;
    await calling('ECS', region, async () => {
      try {
        await ecs.send(new ecsModule.StopServiceDeploymentCommand(request));
      } catch (thrown) {
        if (!(thrown instanceof Error && ended.has(thrown.name))) throw thrown;
      }
    });
  }

  async #readDefinitions(rollouts: readonly ServiceDeployment[]): Promise<void> {
    const { ecs, ecsModule, region } = this.#clients;
    const wanted = [...new Set(rollouts.flatMap(serviceRevisionsOf))].filter(
      (arn) => !this.#definitions.has(arn),
    );
    // A call describes at most 20 service revisions.
    for (let i = 0; i < wanted.length; i += 20) {
      const { serviceRevisions = [] } = await calling('ECS', region, () =>
        ecs.send(
          new ecsModule.DescribeServiceRevisionsCommand({ serviceRevisionArns: wanted.slice(i, i + 20) }),
        ),
      );
      for (const { serviceRevisionArn, taskDefinition } of serviceRevisions)
        if (serviceRevisionArn !== undefined && taskDefinition !== undefined)
          this.#definitions.set(serviceRevisionArn, taskDefinition);
    }
  }

  async #rollout(one: ServiceDeployment): Promise<Rollout | undefined> {
    const status = rolloutStatuses.find((known) => known === one.status);
    if (one.serviceDeploymentArn === undefined || status === undefined) return undefined;
    // Tasks of several revisions may run before a rollout; ECS goes back to the one that has the most.
    const [source] = [...(one.sourceServiceRevisions ?? [])].sort(
      (a, b) => (b.requestedTaskCount ?? 0) - (a.requestedTaskCount ?? 0),
    );
    return {
      arn: one.serviceDeploymentArn,
      status: status as RolloutStatus,
      source: await this.#revisionOf(one.rollback?.serviceRevisionArn ?? source?.arn),
      target: await this.#revisionOf(one.targetServiceRevision?.arn),
      reason: reasonOf(one),
    };
  }

  async #revisionOf(serviceRevision: string | undefined): Promise<Revision | undefined> {
    const arn = this.#definitions.get(serviceRevision ?? '');
    return arn === undefined ? undefined : this.#revisions.get(arn);
  }
}

function serviceRevisionsOf(one: ServiceDeployment): string[] {
  const { sourceServiceRevisions = [], targetServiceRevision, rollback } = one;
  const arns = [...sourceServiceRevisions.map(({ arn }) => arn), targetServiceRevision?.arn];
  return [...arns, rollback?.serviceRevisionArn].filter((arn) => arn !== undefined);
}

/** Returns the sentences of ECS about a rollout that does not go as it should. */
function reasonOf({
  rollback,
  statusReason,
  deploymentCircuitBreaker: breaker,
  alarms,
}: ServiceDeployment): string | undefined {
  const triggered = alarms?.triggeredAlarmNames ?? [];
  const sentences = [
    rollback?.reason ?? statusReason,
    breaker?.status === 'TRIGGERED' ? `the circuit breaker has counted ${breaker.failureCount} failures` : '',
    triggered.length > 0 ? `alarms fire: ${triggered.join(', ')}` : '',
  ].filter((text) => text);
  return sentences.length === 0 ? undefined : sentences.join('; ');
}
