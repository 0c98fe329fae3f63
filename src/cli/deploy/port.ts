/**
 * The calls that `holdfast deploy` needs, as an interface: the verbs know no client of AWS, and the planning knows no call.
 */
import type { SchemaRange } from '../../engines/aws/index.ts';

/** A service of a stage, as the CDK has recorded it. */
export interface Deployable {
  readonly stage: string;
  /** The name for people, such as `api`. */
  readonly name: string;
  readonly cluster: string;
  /** The name of the service in ECS. */
  readonly service: string;
  /** The name of the repository in ECR. */
  readonly repository: string;
  /** The parameter of SSM with the tag that the stack deploys. */
  readonly tagParameter: string;
  /** The beginning of the names of the stack's alarms in CloudWatch. */
  readonly alarmPrefix: string | undefined;
}

/** A revision of a task definition, as far as a rollback needs it. */
export interface Revision {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  /** False once it is deregistered: ECS starts no service with it, and its content can be registered again. */
  readonly isActive: boolean;
  /** The tag of Holdfast's image; undefined if the image is named by its digest or is of another repository. */
  readonly tag: string | undefined;
  /** The name of the repository of Holdfast's image in ECR; undefined if the image is not of ECR. */
  readonly repository: string | undefined;
  /** The DynamoDB table that the process opens; undefined for one that calls a server alone. */
  readonly table: string | undefined;
  /** Why the definition does not show whether the process opens a table, and which; undefined if it does. */
  readonly tableFault: string | undefined;
  /** The settings that the process is started with, by their names, for a comparison. Values of variables are left out. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The states of a service deployment of ECS. */
export const rolloutStatuses = [
  ...['PENDING', 'IN_PROGRESS', 'STOP_REQUESTED', 'ROLLBACK_REQUESTED', 'ROLLBACK_IN_PROGRESS'],
  ...['SUCCESSFUL', 'STOPPED', 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED'],
] as const;
export type RolloutStatus = (typeof rolloutStatuses)[number];

/** One service deployment: ECS replaces the tasks of a service with those of another revision. */
export interface Rollout {
  readonly arn: string;
  readonly status: RolloutStatus;
  /** The revision that runs before it, and to which ECS goes back; undefined for the first deployment of a service. */
  readonly source: Revision | undefined;
  readonly target: Revision | undefined;
  /** A sentence of ECS, such as which alarm or that the circuit breaker has stopped it. */
  readonly reason: string | undefined;
}

/** A service as ECS shows it now. */
export interface ServiceState {
  /** The revision that ECS wants to run. */
  readonly primary: Revision;
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly rolloutReason: string | undefined;
  readonly desired: number;
  /** The tasks of the primary revision. */
  readonly running: number;
  readonly pending: number;
  readonly failed: number;
  /** The tasks of other revisions that still run. */
  readonly othersRunning: number;
  /** The newest service deployments, the newest first; empty where ECS keeps no record of them. */
  readonly rollouts: readonly Rollout[];
}

/** An image in ECR. */
export interface Image {
  readonly tag: string;
  readonly digest: string;
  /** The labels of the image; undefined if they could not be read, and `fault` says why. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly fault: string | undefined;
}

/** The record that a service was rolled back, by which `deploy forward` finds the tag to go forward to. */
export interface RollbackRecord {
  /** The tag that was left. */
  readonly from: string;
  /** The tag that was gone back to. */
  readonly to: string;
  readonly direction: 'back' | 'forward';
}

export interface TaskHealth {
  readonly running: number;
  readonly unhealthy: number;
}

export interface Deployments {
  /** The region that the calls go to. */
  readonly region: string;
  /** Returns the services of a stage, or of all stages. */
  services(stage: string | undefined): Promise<readonly Deployable[]>;
  /** @throws HoldfastError NOT_FOUND if ECS has no such service. */
  state(service: Deployable): Promise<ServiceState>;
  /** Returns the newest revisions of a family, the newest first, deregistered ones among them. */
  revisions(service: Deployable, family: string): Promise<readonly Revision[]>;
  /** Returns undefined if the repository has no such tag. */
  image(service: Deployable, tag: string): Promise<Image | undefined>;
  tag(service: Deployable): Promise<string | undefined>;
  writeTag(service: Deployable, tag: string): Promise<void>;
  record(service: Deployable): Promise<RollbackRecord | undefined>;
  writeRecord(service: Deployable, record: RollbackRecord): Promise<void>;
  deleteRecord(service: Deployable): Promise<void>;
  /** Asks ECS to go back to the source of a rollout. Does nothing if the rollout has ended meanwhile. */
  stopRollout(arn: string): Promise<void>;
  /** Registers the content of a deregistered revision again. */
  register(revision: Revision): Promise<Revision>;
  update(service: Deployable, revision: Revision): Promise<void>;
  tasks(service: Deployable): Promise<TaskHealth>;
  /** Reads the schema of a table. Rejects if the table cannot be read. */
  tableSchema(table: string): Promise<number>;
  /** Returns the names of the alarms of a stack that fire now. Rejects if they cannot be read. */
  firingAlarms(prefix: string): Promise<readonly string[]>;
  close(): void;
}

export type { SchemaRange };
