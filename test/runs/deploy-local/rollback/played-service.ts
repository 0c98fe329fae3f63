/**
 * Plays one service of ECS with its rollouts, as ECS's own API shows them. Each look at the service (DescribeServices) moves a
 * rollout on by a step, so that a case decides by looks and not by time.
 */

/** How the rollout of a task definition goes. */
export type Play =
  /** Its tasks run at once. */
  | 'atOnce'
  /** Its tasks run after some looks. */
  | 'slow'
  /** Its tasks do not start, and nothing ends it. */
  | 'failing'
  /** Its tasks do not start, and the circuit breaker goes back after some looks. */
  | 'breaker'
  /** Its tasks do not start, and ECS declares the deployment failed: nothing is configured that would go back. */
  | 'failed';

export class ApiError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

interface PlayedRollout {
  readonly arn: string;
  readonly source: string | undefined;
  readonly target: string;
  readonly createdAt: number;
  status: string;
  looks: number;
  failures: number;
  reason: string | undefined;
}

/** The looks after which a slow rollout has ended, and after which ECS has gone back. */
const slowLooks = 10;
const failingLooks = 3;
const backLooks = 2;

export class PlayedService {
  readonly #cluster: string;
  readonly #name: string;
  readonly #desired: number;
  readonly #rollouts: PlayedRollout[] = [];
  readonly #plays = new Map<string, Play>();
  #current: string;
  #updates = 0;
  #stops = 0;

  constructor(cluster: string, name: string, taskDefinition: string, desired: number) {
    this.#cluster = cluster;
    this.#name = name;
    this.#current = taskDefinition;
    this.#desired = desired;
  }

  /** The calls of UpdateService and of StopServiceDeployment that were accepted. */
  get calls(): { readonly updates: number; readonly stops: number } {
    return { updates: this.#updates, stops: this.#stops };
  }

  /** Decides how later rollouts of a task definition go. */
  play(taskDefinition: string, how: Play): void {
    this.#plays.set(taskDefinition, how);
  }

  is(service: string): boolean {
    return service === this.#name || service.endsWith(`/${this.#name}`);
  }

  update(taskDefinition: string): object {
    this.#updates += 1;
    const [newest] = this.#rollouts;
    if (taskDefinition !== (this.#underWay()?.target ?? this.#current)) {
      // ECS replaces a rollout that is under way.
      if (newest !== undefined && this.#underWay() === newest) {
        newest.status = 'STOPPED';
        newest.reason = 'Stopped by a new deployment';
      }
      this.#begin(taskDefinition);
    }
    return { service: this.#view() };
  }

  describe(): object {
    const [newest] = this.#rollouts;
    if (newest !== undefined) this.#advance(newest);
    return this.#view();
  }

  list(): object[] {
    return this.#rollouts.map(({ arn, status, createdAt }) => ({
      ...{ serviceDeploymentArn: arn, status, createdAt },
    }));
  }

  describeRollouts(arns: readonly string[]): object[] {
    return this.#rollouts
      .filter(({ arn }) => arns.includes(arn))
      .map((one) => ({
        ...{ serviceDeploymentArn: one.arn, status: one.status, createdAt: one.createdAt },
        sourceServiceRevisions:
          one.source === undefined
            ? []
            : [{ arn: revisionArn(one.source), requestedTaskCount: this.#desired }],
        targetServiceRevision: { arn: revisionArn(one.target), requestedTaskCount: this.#desired },
        ...(one.reason !== undefined && { statusReason: one.reason }),
        deploymentCircuitBreaker: {
          status:
            this.#plays.get(one.target) === 'breaker' && one.failures >= failingLooks
              ? 'TRIGGERED'
              : 'MONITORING',
          failureCount: one.failures,
          threshold: 3,
        },
      }));
  }

  stop(arn: string): object {
    const found = this.#rollouts.find((one) => one.arn === arn);
    if (found === undefined) throw new ApiError('ServiceDeploymentNotFoundException', 'No such deployment.');
    if (found !== this.#underWay() || found.status !== 'IN_PROGRESS')
      throw new ApiError('ConflictException', 'The service deployment is not in progress.');
    this.#stops += 1;
    found.status = 'ROLLBACK_REQUESTED';
    found.looks = 0;
    found.reason = 'Rollback requested by the caller';
    return { serviceDeploymentArn: arn };
  }

  #underWay(): PlayedRollout | undefined {
    const [newest] = this.#rollouts;
    return newest !== undefined && /^(IN_PROGRESS|ROLLBACK_(REQUESTED|IN_PROGRESS))$/.test(newest.status)
      ? newest
      : undefined;
  }

  #begin(target: string): void {
    const n = this.#rollouts.length + 1;
    this.#rollouts.unshift({
      arn: `arn:aws:ecs:eu-central-1:000000000000:service-deployment/${this.#cluster}/${this.#name}/d${n}`,
      ...{ source: this.#current, target, createdAt: 1_790_000_000 + n },
      ...{ status: 'IN_PROGRESS', looks: 0, failures: 0, reason: undefined },
    });
    const [newest] = this.#rollouts;
    if (newest !== undefined && (this.#plays.get(target) ?? 'atOnce') === 'atOnce') this.#succeed(newest);
  }

  #succeed(one: PlayedRollout): void {
    one.status = 'SUCCESSFUL';
    this.#current = one.target;
  }

  #advance(one: PlayedRollout): void {
    if (this.#underWay() !== one) return;
    one.looks += 1;
    if (one.status !== 'IN_PROGRESS') {
      one.status = one.looks > backLooks ? 'ROLLBACK_SUCCESSFUL' : 'ROLLBACK_IN_PROGRESS';
      return;
    }
    const how = this.#plays.get(one.target) ?? 'atOnce';
    if (how === 'slow' && one.looks > slowLooks) this.#succeed(one);
    if (how === 'slow' || how === 'atOnce') return;
    one.failures += 1;
    if (how === 'failing' || one.looks < failingLooks) return;
    if (how === 'breaker') {
      one.status = 'ROLLBACK_IN_PROGRESS';
      one.looks = 0;
      one.reason = 'ECS deployment circuit breaker: tasks failed to start.';
    } else {
      one.status = 'STOPPED';
      one.reason = 'tasks failed to start.';
      this.#current = one.target;
    }
  }

  #view(): object {
    const under = this.#underWay();
    const [newest] = this.#rollouts;
    const hasFailed = newest?.status === 'STOPPED' && newest.target === this.#current;
    // Once ECS goes back, the source is the primary deployment again.
    const isForward = under?.status === 'IN_PROGRESS';
    const primary = isForward ? under.target : this.#current;
    const count = (taskDefinition: string): number => (taskDefinition === this.#current ? this.#desired : 0);
    const deployments = [
      {
        ...{ id: 'primary', status: 'PRIMARY', taskDefinition: primary, desiredCount: this.#desired },
        ...{
          runningCount: hasFailed ? 0 : count(primary),
          failedTasks: under?.failures ?? (hasFailed ? newest.failures : 0),
        },
        pendingCount: isForward ? 1 : 0,
        rolloutState: under !== undefined ? 'IN_PROGRESS' : hasFailed ? 'FAILED' : 'COMPLETED',
        rolloutStateReason: hasFailed ? 'tasks failed to start.' : '',
      },
      ...(isForward
        ? [{ id: 'active', status: 'ACTIVE', taskDefinition: this.#current, runningCount: this.#desired }]
        : []),
    ];
    return {
      ...{ serviceName: this.#name, status: 'ACTIVE', taskDefinition: primary, desiredCount: this.#desired },
      ...{ runningCount: this.#desired, pendingCount: isForward ? 1 : 0, deployments },
    };
  }
}

const prefix = 'arn:aws:ecs:eu-central-1:000000000000:service-revision/';

function revisionArn(taskDefinition: string): string {
  return prefix + Buffer.from(taskDefinition).toString('hex');
}

/** Returns the service revisions of ECS, whose ARNs have their task definitions in them. */
export function describeRevisions(arns: readonly string[]): object[] {
  return arns.map((arn) => ({
    serviceRevisionArn: arn,
    taskDefinition: Buffer.from(arn.slice(prefix.length), 'hex').toString(),
  }));
}
