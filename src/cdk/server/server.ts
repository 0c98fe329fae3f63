import { CfnOutput, Duration, Stack, Token } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as route53 from 'aws-cdk-lib/aws-route53';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { timing } from '../../core/limits.ts';
import { permissions } from '../../engines/aws/policies.ts';
import { acknowledge } from '../acknowledge.ts';

import { healthCommand, registerCommands, secretNames, serveCommand } from '../container/command-lines.ts';
import {
  type HoldfastCertificateProps,
  type HoldfastImageProps,
  HoldfastTask,
  type HoldfastTaskProps,
} from '../container/task.ts';
import { emfMetric, type HoldfastQueueMetricProps } from '../metrics.ts';
import type { HoldfastNetwork } from '../network/network.ts';
import { need, oneOf, refusal } from '../refusal.ts';
import type { IHoldfastStore } from '../store/store.ts';
import { albFront } from './alb-front.ts';
import { checkHostname, checkPolicy, type HoldfastPolicyProps } from './checks.ts';
import type { Front } from './front.ts';
import { nlbFront } from './nlb-front.ts';
import { callsStore } from './store-calls.ts';

/** Properties of `HoldfastServer`. */
export interface HoldfastServerProps extends HoldfastTaskProps {
  readonly network: HoldfastNetwork;
  readonly store: IHoldfastStore;
  readonly image: HoldfastImageProps;
  /** The name by which clients dial the server. The certificate of the front names it. */
  readonly hostname: string;
  /** The server's own certificate, and the authority whose clients it serves. */
  readonly certificate: HoldfastCertificateProps;
  readonly policy?: HoldfastPolicyProps;
  /**
   * `alb`: an Application Load Balancer ends mutual TLS, verifies clients by `trustBundleFile` and passes their certificates
   * on. `nlb`: a Network Load Balancer passes TCP through, and mutual TLS ends in the server. Default: `alb`.
   */
  readonly front?: string;
  /** Reached from the internet, by the public subnets of the network. Default: false. */
  readonly internetFacing?: boolean;
  /** Of `alb`: the certificates of its listener. */
  readonly listenerCertificates?: acm.ICertificate[];
  /** Of `alb`: a file of PEM with the authorities whose clients are let in. A changed file is a new key of the trust store. */
  readonly trustBundleFile?: string;
  /** Of `alb`: the bundle in a bucket instead of a file; give every content a key of its own. */
  readonly trustBundleBucket?: s3.IBucket;
  readonly trustBundleKey?: string;
  /** Of `alb`: the bucket of the access logs. Default: one of its own. */
  readonly accessLogBucket?: s3.IBucket;
  /** Of `alb`: the ARN of a web ACL of WAF, of this region, which the requests pass first. Default: none. */
  readonly webAclArn?: string;
  /** The hosted zone of `hostname`, in which an alias record leads to the load balancer. Default: no record is made. */
  readonly hostedZone?: route53.IHostedZone;
  /** The number of tasks, at least 1. Default: 2. */
  readonly desiredCount?: number;
  /** `rolling`, `canary` (10 % for 10 minutes) or `linear` (10 % every 6 minutes). Default: `rolling`. */
  readonly deployment?: string;
  /** Of `canary` and `linear`: the percentage of each step. Default: 10. */
  readonly stepPercent?: number;
  /** Of `canary` and `linear`: how long a step lasts, 5 minutes or more, since streams live for 4. */
  readonly stepBakeTime?: Duration;
  /** Refused calls, in percent of all, from which a deployment is taken back. Default: 10. */
  readonly rollbackRefusedPercent?: number;
  /** Tasks that no worker can take, from which a deployment is taken back. Default: 1. */
  readonly rollbackUnserved?: number;
  /**
   * Registers the queues of the store before each start, so that a queue added in the template is known. Default: true. Set it
   * to false where `holdfast aws init` is run by hand.
   */
  readonly registerQueues?: boolean;
}

/**
 * The server on Fargate behind a load balancer. A deployment that does not become healthy is taken back by ECS's circuit
 * breaker, and one that refuses calls or leaves tasks unserved by alarms.
 */
export class HoldfastServer extends Construct implements ec2.IConnectable {
  /** The URL of clients. */
  readonly url: string;
  readonly network: HoldfastNetwork;
  readonly store: IHoldfastStore;
  readonly internetFacing: boolean;
  /** The connections of the front: allow clients by it. */
  readonly connections: ec2.Connections;
  readonly service: ecs.FargateService;
  readonly cluster: ecs.ICluster;
  readonly task: HoldfastTask;
  /** The load balancer's construct, an ApplicationLoadBalancer or a NetworkLoadBalancer. */
  readonly loadBalancer: Construct;
  /** The alarms that take a deployment back. */
  readonly rollbackAlarms: cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, props: HoldfastServerProps) {
    super(scope, id);
    need(this, props, ['network', 'store', 'image', 'hostname', 'certificate']);
    const front = oneOf(this, 'front', props.front ?? 'alb', ['alb', 'nlb']);
    const strategy = oneOf(this, 'deployment', props.deployment ?? 'rolling', [
      'rolling',
      'canary',
      'linear',
    ]);
    checkProps(this, props, front, strategy);
    const { network, store, internetFacing = false, desiredCount = 2 } = props;
    this.network = network;
    this.store = store;
    this.internetFacing = internetFacing;
    this.task = this.#createTask(props, front);
    const cluster = new ecs.Cluster(this, 'Cluster', {
      ...{ vpc: network.vpc, containerInsightsV2: ecs.ContainerInsights.ENABLED },
      enableFargateCapacityProviders: true,
    });
    this.cluster = cluster as ecs.ICluster;
    this.rollbackAlarms = rollbackAlarms(this, props);
    this.service = new ecs.FargateService(this, 'Service', {
      ...{ cluster: this.cluster, taskDefinition: this.task.definition, desiredCount },
      ...{ securityGroups: [this.task.securityGroup], vpcSubnets: network.subnets, assignPublicIp: false },
      ...{ minHealthyPercent: 100, maxHealthyPercent: 200, circuitBreaker: { enable: true, rollback: true } },
      deploymentAlarms: {
        alarmNames: this.rollbackAlarms.map(({ alarmName }) => alarmName),
        behavior: ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
      },
      healthCheckGracePeriod: Duration.seconds(60),
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      ...strategyOf(strategy, props),
    });
    const common = { network, internetFacing, service: this.service, task: this.task, props };
    const isShifted = strategy !== 'rolling';
    const made: Front =
      front === 'alb' ? albFront(this, common, isShifted) : nlbFront(this, common, isShifted);
    if (isShifted) {
      acknowledge(
        this.service,
        'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers]',
        'ECS shifts the traffic between target groups by its own role, and AWS keeps the policy of it.',
      );
    }
    if (props.hostedZone !== undefined) {
      new route53.ARecord(this, 'Record', {
        ...{ zone: props.hostedZone, recordName: `${props.hostname}.` },
        target: route53.RecordTarget.fromAlias(new LoadBalancerTarget(made.loadBalancer)),
      });
    }
    this.connections = made.connections;
    this.loadBalancer = made.loadBalancer;
    this.url = `holdfast://${props.hostname}:${made.port}`;
    new CfnOutput(this, 'ClusterName', { value: this.cluster.clusterName });
    new CfnOutput(this, 'ServiceName', { value: this.service.serviceName });
    new CfnOutput(this, 'ImageTagParameter', { value: props.image.tagParameterName });
    new CfnOutput(this, 'LoadBalancerDnsName', { value: made.dnsName });
  }

  #createTask(props: HoldfastServerProps, front: 'alb' | 'nlb'): HoldfastTask {
    const { store, policy = {}, registerQueues = true } = props;
    const policyFile =
      policy.file ?? ((policy.secret ?? policy.text) ? `env:${secretNames.policy}` : undefined);
    const albFrom = front === 'alb' ? props.network.vpc.vpcCidrBlock : undefined;
    const task = HoldfastTask._create(this, 'Task', {
      ...props,
      // A server ends within 2 s after SIGTERM, whatever its workers do.
      stopTimeout: Duration.millis(timing.serverStopMs).plus(Duration.seconds(28)),
      // ECS reads no health check of an image, so that the task has it too.
      healthCheck: {
        command: ['CMD', ...healthCommand],
        ...{ interval: Duration.seconds(30), timeout: Duration.seconds(10), retries: 3 },
        startPeriod: Duration.seconds(60),
      },
      command: (files) => serveCommand({ store, albFrom, files: { ...files, policy: policyFile } }),
      environment: (): Record<string, string> =>
        policy.text === undefined ? {} : { [secretNames.policy]: policy.text },
      ...(policy.secret !== undefined && {
        secrets: { [secretNames.policy]: ecs.Secret.fromSecretsManager(policy.secret) },
        calledSecrets: [policy.secret],
      }),
    });
    store.grantServe(task.definition.taskRole);
    callsStore(props.network, store, task.securityGroup, permissions.serve);
    if (!registerQueues) return task;
    store.grantRegister(task.definition.taskRole);
    callsStore(props.network, store, task.securityGroup, permissions.register);
    for (const [i, command] of registerCommands(store).entries()) task.runBefore(`register-${i}`, command);
    return task;
  }

  /** The age in seconds of the oldest ready task of a queue. */
  metricOldestReady(props: HoldfastQueueMetricProps): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'oldestReadyAge', props);
  }

  metricReadyTasks(props: HoldfastQueueMetricProps): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'readyTasks', props);
  }

  /** The ready tasks of a queue that no worker can take. */
  metricUnserved(props: HoldfastQueueMetricProps): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'unserved', props);
  }

  metricTasksDead(props: HoldfastQueueMetricProps): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'tasksDead', props);
  }

  metricCalls(): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'calls');
  }

  /** The calls that failed by the server and not by their request. */
  metricRefusedCalls(): cloudwatch.Metric {
    return emfMetric(this.store.metricsNamespace, 'refusedCalls');
  }
}

function checkProps(
  scope: Construct,
  props: HoldfastServerProps,
  front: 'alb' | 'nlb',
  strategy: string,
): void {
  const { desiredCount = 2, network, internetFacing, stepBakeTime, stepPercent } = props;
  if (!Number.isInteger(desiredCount) || desiredCount < 1)
    throw refusal(
      scope,
      `desiredCount is ${desiredCount}.`,
      'At least one server must run: workers alone make no task ready.',
    );
  if (internetFacing === true && !network.isPublic)
    throw refusal(
      scope,
      'the front is reached from the internet, and the network has no public subnets.',
      'Set publicSubnets of the network.',
    );
  const { hostname, hostedZone } = props;
  checkHostname(scope, hostname);
  const zone = hostedZone?.zoneName;
  if (zone !== undefined && !Token.isUnresolved(zone) && hostname !== zone && !hostname.endsWith(`.${zone}`))
    throw refusal(
      scope,
      `the zone '${zone}' cannot have a record of '${hostname}'.`,
      'Give the hosted zone in which the hostname is.',
    );
  checkPolicy(scope, props.policy);
  const ofAlb = [
    ['listenerCertificates', props.listenerCertificates],
    ['trustBundleFile', props.trustBundleFile],
    ['trustBundleBucket', props.trustBundleBucket],
    ['trustBundleKey', props.trustBundleKey],
    ['accessLogBucket', props.accessLogBucket],
    ['webAclArn', props.webAclArn],
  ] as const;
  const wrong = ofAlb.find(([, value]) => value !== undefined);
  if (front === 'nlb' && wrong !== undefined)
    throw refusal(
      scope,
      `${wrong[0]} is for the front 'alb': with 'nlb' mutual TLS ends in the server.`,
      'Leave it out.',
    );
  if (strategy === 'rolling') {
    if (stepPercent !== undefined || stepBakeTime !== undefined)
      throw refusal(
        scope,
        'a rolling deployment has no steps.',
        "Set deployment to 'canary' or 'linear', or leave the steps out.",
      );
    return;
  }
  if (stepBakeTime !== undefined && stepBakeTime.toMinutes({ integral: false }) < 5)
    throw refusal(
      scope,
      'a step is shorter than the streams of workers live, so that it would see few of them.',
      'Let a step last 5 minutes or more.',
    );
  const least = strategy === 'linear' ? 3 : 0.1;
  if (stepPercent !== undefined && (stepPercent < least || stepPercent > 100))
    throw refusal(scope, `stepPercent is ${stepPercent}.`, `Write a number from ${least} to 100.`);
}

function strategyOf(strategy: string, { stepPercent = 10, stepBakeTime }: HoldfastServerProps) {
  if (strategy === 'rolling') return {};
  if (strategy === 'canary') {
    return {
      deploymentStrategy: ecs.DeploymentStrategy.CANARY,
      canaryConfiguration: { stepPercent, stepBakeTime: stepBakeTime ?? Duration.minutes(10) },
      bakeTime: Duration.minutes(5),
    };
  }
  return {
    deploymentStrategy: ecs.DeploymentStrategy.LINEAR,
    linearConfiguration: { stepPercent, stepBakeTime: stepBakeTime ?? Duration.minutes(6) },
    bakeTime: Duration.minutes(5),
  };
}

/** The fewest calls in a minute of which a percentage says something. */
const fewestCalls = 20;

function rollbackAlarms(scope: HoldfastServer, props: HoldfastServerProps): cloudwatch.Alarm[] {
  const { rollbackRefusedPercent = 10, rollbackUnserved = 1, store } = props;
  if (!(rollbackRefusedPercent > 0 && rollbackRefusedPercent <= 100))
    throw refusal(
      scope,
      `rollbackRefusedPercent is ${rollbackRefusedPercent}.`,
      'Write a number above 0, up to 100.',
    );
  if (!(rollbackUnserved > 0))
    throw refusal(
      scope,
      `rollbackUnserved is ${rollbackUnserved}.`,
      'Write a number above 0: an alarm that always fires would take every deployment back.',
    );
  const refused = new cloudwatch.MathExpression({
    expression: `IF(calls >= ${fewestCalls}, 100 * refused / calls, 0)`,
    usingMetrics: { refused: scope.metricRefusedCalls(), calls: scope.metricCalls() },
    period: Duration.minutes(1),
    label: 'refused calls in percent',
  });
  const unserved = emfMetric(store.metricsNamespace, 'unserved');
  // The service names its alarms before it exists, so that their names are given and not made by CloudFormation.
  const name = (what: string): string => `${Stack.of(scope).stackName}-${scope.node.id}-${what}`;
  const common = { evaluationPeriods: 3, datapointsToAlarm: 3 };
  const operator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD;
  const missing = cloudwatch.TreatMissingData.NOT_BREACHING;
  return [
    new cloudwatch.Alarm(scope, 'RefusedCalls', {
      ...{ ...common, alarmName: name('refused-calls'), metric: refused, threshold: rollbackRefusedPercent },
      ...{ comparisonOperator: operator, treatMissingData: missing },
      alarmDescription: 'Calls are refused by the server. A deployment under way is taken back.',
    }),
    new cloudwatch.Alarm(scope, 'Unserved', {
      ...{ ...common, alarmName: name('unserved'), metric: unserved, threshold: rollbackUnserved },
      ...{ comparisonOperator: operator, treatMissingData: missing },
      alarmDescription: 'No worker can take some tasks. A deployment under way is taken back.',
    }),
  ];
}
