import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { permissions } from '../../engines/aws/policies.ts';
import { clientEnvironment, workerCommand } from '../container/command-lines.ts';
import {
  type HoldfastCertificateProps,
  type HoldfastImageProps,
  HoldfastTask,
  type HoldfastTaskProps,
} from '../container/task.ts';
import type { HoldfastNetwork } from '../network/network.ts';
import { need, refusal } from '../refusal.ts';
import type { HoldfastServer } from '../server/server.ts';
import { callsStore } from '../server/store-calls.ts';
import type { IHoldfastStore } from '../store/store.ts';
import { grantProtection } from './protection.ts';
import { scaleWorker } from './scaling.ts';

/** Properties of `HoldfastWorker`. Give either `server` or `store`. */
export interface HoldfastWorkerProps extends HoldfastTaskProps {
  readonly image: HoldfastImageProps;
  /** The path of the worker's module in the image. */
  readonly module: string;
  /** The queues of the worker's task types: it scales by them. */
  readonly queues: string[];
  /** The server that gives the worker its tasks, over gRPC, by `certificate`. */
  readonly server?: HoldfastServer;
  /** The worker's own identity at the server. */
  readonly certificate?: HoldfastCertificateProps;
  /** The store of a worker that polls SQS and writes the table itself, without a certificate. */
  readonly store?: IHoldfastStore;
  /** Of a worker with a store: where it runs. */
  readonly network?: HoldfastNetwork;
  readonly cluster?: ecs.ICluster;
  /** The fewest tasks of Fargate. Default: 1. */
  readonly minTasks?: number;
  /** The most tasks of Fargate. Default: 10. */
  readonly maxTasks?: number;
  /** The ready tasks for each worker from which more workers are started. Default: 100. */
  readonly backlogPerWorker?: number;
  /** The age of the oldest ready task from which more workers are started. Default: a minute. */
  readonly oldestReady?: Duration;
  /** Runs on Fargate Spot, which AWS may stop with two minutes of notice. Default: false. */
  readonly spot?: boolean;
  /**
   * Protects each task of Fargate from scale-in while attempts run in it, which the task's role is granted for the tasks of
   * the cluster. Default: true if the number of tasks can change.
   */
  readonly protectTasks?: boolean;
  /** How long running attempts may take after a stop, up to 110 s. Default: 110 s. */
  readonly drain?: Duration;
}

/** The longest time that Fargate leaves a container between SIGTERM and SIGKILL. */
const mostStopSeconds = 120;
/** The time beyond its drain that a worker may need to end. */
const endSeconds = 10;

/** Workers of one image on Fargate. They scale by the age of the oldest ready task and the backlog, and not by CPU. */
export class HoldfastWorker extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;
  readonly service: ecs.FargateService;
  readonly task: HoldfastTask;
  readonly taskRole: iam.IRole;

  constructor(scope: Construct, id: string, props: HoldfastWorkerProps) {
    super(scope, id);
    need(this, props, ['image', 'module', 'queues']);
    const { server, store, image, module, certificate, spot = false, minTasks = 1, maxTasks = 10 } = props;
    const { network, cluster } = placeOf(this, props);
    const drainSeconds = (props.drain ?? Duration.seconds(mostStopSeconds - endSeconds)).toSeconds();
    checkProps(this, props, drainSeconds);
    const source = (server?.store ?? store) as IHoldfastStore;
    const { metricsNamespace } = source;
    const protectsTask = props.protectTasks ?? minTasks < maxTasks;
    this.task = HoldfastTask._create(this, 'Task', {
      ...props,
      ...{ network, image, certificate },
      stopTimeout: Duration.seconds(drainSeconds + endSeconds),
      command: () => workerCommand({ module, drainSeconds, metricsNamespace, store, protectsTask }),
      ...(server !== undefined && { environment: (files) => clientEnvironment(server.url, files) }),
    });
    this.taskRole = this.task.definition.taskRole;
    if (protectsTask) grantProtection(this.taskRole, cluster);
    this.service = new ecs.FargateService(this, 'Service', {
      ...{ cluster, taskDefinition: this.task.definition, desiredCount: minTasks },
      ...{ securityGroups: [this.task.securityGroup], vpcSubnets: network.subnets, assignPublicIp: false },
      ...{ minHealthyPercent: 100, maxHealthyPercent: 200, circuitBreaker: { enable: true, rollback: true } },
      capacityProviderStrategies: [{ capacityProvider: spot ? 'FARGATE_SPOT' : 'FARGATE', weight: 1 }],
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
    this.connections = new ec2.Connections({ securityGroups: [this.task.securityGroup] });
    if (server !== undefined) this.connections.allowToDefaultPort(server, 'tasks from the server');
    if (store !== undefined) {
      store.grantWork(this.taskRole, { queues: props.queues });
      callsStore(network, store, this.task.securityGroup, permissions.work);
    }
    scaleWorker(this.service, {
      ...{ metricsNamespace, cluster, queues: props.queues, minTasks, maxTasks },
      ...{ backlogPerWorker: props.backlogPerWorker ?? 100 },
      oldestReadySeconds: (props.oldestReady ?? Duration.minutes(1)).toSeconds(),
    });
  }
}

function placeOf(
  scope: Construct,
  { server, store, network, cluster }: HoldfastWorkerProps,
): { readonly network: HoldfastNetwork; readonly cluster: ecs.ICluster } {
  if ((server === undefined) === (store === undefined)) {
    const help = 'Give server for a worker over gRPC, or store for a worker that polls SQS itself.';
    throw refusal(scope, 'a worker gets its tasks from a server or from a store, and not from both.', help);
  }
  if (server !== undefined) {
    if (network !== undefined || cluster !== undefined)
      throw refusal(
        scope,
        'a worker of a server runs in its network and cluster.',
        'Leave network and cluster out.',
      );
    return { network: server.network, cluster: server.cluster };
  }
  if (network === undefined || cluster === undefined)
    throw refusal(scope, 'a worker with a store needs a place to run.', 'Give network and cluster.');
  return { network, cluster };
}

function checkProps(scope: Construct, props: HoldfastWorkerProps, drainSeconds: number): void {
  const { server, store, certificate, queues, minTasks = 1, maxTasks = 10, backlogPerWorker = 100 } = props;
  const known = (server?.store ?? store)?.queues.map(({ name }) => name) ?? [];
  if (queues.length === 0)
    throw refusal(scope, 'a worker has no queue.', 'Name the queues of its task types.');
  const missing = queues.find((queue) => !known.includes(queue));
  if (missing !== undefined)
    throw refusal(scope, `the store has no queue '${missing}'.`, 'Add it to the queues of HoldfastStore.');
  if (server !== undefined && certificate === undefined)
    throw refusal(
      scope,
      'a worker of a server has no certificate.',
      'Give certificate, of its own identity.',
    );
  if (store !== undefined && certificate !== undefined)
    throw refusal(scope, 'a worker that polls SQS needs no certificate.', 'Leave certificate out.');
  if (server?.internetFacing === true)
    throw refusal(
      scope,
      'the front of the server has public addresses only, which no task without NAT can reach.',
      'Make an internal server, or let the worker poll SQS by store.',
    );
  if (
    !Number.isInteger(minTasks) ||
    !Number.isInteger(maxTasks) ||
    minTasks < 0 ||
    maxTasks < 1 ||
    minTasks > maxTasks
  )
    throw refusal(
      scope,
      `minTasks is ${minTasks} and maxTasks ${maxTasks}.`,
      'Write whole numbers, the smaller one first.',
    );
  if (!(backlogPerWorker > 0))
    throw refusal(scope, `backlogPerWorker is ${backlogPerWorker}.`, 'Write a number above 0.');
  if (props.oldestReady !== undefined && props.oldestReady.toSeconds() < 1)
    throw refusal(
      scope,
      'oldestReady is 0 s, so that workers would be added at any time.',
      'Write a second or more.',
    );
  if (drainSeconds < 1 || drainSeconds > mostStopSeconds - endSeconds) {
    const help = `Write 1 to ${mostStopSeconds - endSeconds} s: Fargate kills a container ${mostStopSeconds} s after SIGTERM.`;
    throw refusal(scope, `drain is ${drainSeconds} s.`, help);
  }
}
