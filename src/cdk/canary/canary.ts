import { CfnOutput, Duration } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { canaryQueue } from '../../core/objectives/objectives.ts';
import { canaryCommand, clientEnvironment } from '../container/command-lines.ts';
import type { HoldfastImageProps } from '../container/task.ts';
import { type HoldfastCertificateProps, HoldfastTask, type HoldfastTaskProps } from '../container/task.ts';
import { emfMetric } from '../metrics.ts';
import { need, refusal } from '../refusal.ts';
import type { HoldfastServer } from '../server/server.ts';

/** Properties of `HoldfastCanary`. */
export interface HoldfastCanaryProps extends HoldfastTaskProps {
  readonly server: HoldfastServer;
  readonly image: HoldfastImageProps;
  /** The canary's own identity. The policy allows it to submit, work and read in its queue alone. */
  readonly certificate: HoldfastCertificateProps;
  /** Its queue, for its tasks alone. Default: `holdfast-canary`. */
  readonly queue?: string;
}

/** One task that probes the server as its users do: it submits a task in each slot of 10 s and works it. */
export class HoldfastCanary extends Construct {
  readonly service: ecs.FargateService;
  readonly task: HoldfastTask;
  readonly queue: string;
  readonly #namespace: string;

  constructor(scope: Construct, id: string, props: HoldfastCanaryProps) {
    super(scope, id);
    need(this, props, ['server', 'image', 'certificate']);
    const { server, queue = canaryQueue } = props;
    if (!server.store.queues.some(({ name }) => name === queue))
      throw refusal(
        this,
        `the store has no queue '${queue}' for the canary.`,
        'Add it to the queues of HoldfastStore.',
      );
    if (server.internetFacing) {
      const help = 'Run the canary beside the users, outside of the VPC.';
      throw refusal(
        this,
        'the front of the server has public addresses only, which no task without NAT can reach.',
        help,
      );
    }
    this.queue = queue;
    this.#namespace = server.store.metricsNamespace;
    this.task = HoldfastTask._create(this, 'Task', {
      ...{ cpu: 256, memoryMiB: 512, ...props },
      ...{ network: server.network, stopTimeout: Duration.seconds(30) },
      command: () => canaryCommand(queue, this.#namespace),
      environment: (files) => clientEnvironment(server.url, files),
    });
    this.service = new ecs.FargateService(this, 'Service', {
      ...{ cluster: server.cluster, taskDefinition: this.task.definition, desiredCount: 1 },
      ...{
        securityGroups: [this.task.securityGroup],
        vpcSubnets: server.network.subnets,
        assignPublicIp: false,
      },
      ...{ minHealthyPercent: 0, maxHealthyPercent: 100, circuitBreaker: { enable: true, rollback: true } },
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
    const connections = new ec2.Connections({ securityGroups: [this.task.securityGroup] });
    connections.allowToDefaultPort(server, 'probes of the canary');
    // A smoke test after a deployment runs beside the canary, with its task definition (`npm run smoke`).
    new CfnOutput(this, 'ClusterName', { value: server.cluster.clusterName });
    new CfnOutput(this, 'ServiceName', { value: this.service.serviceName });
  }

  metricGoodSlots(): cloudwatch.Metric {
    return emfMetric(this.#namespace, 'goodSlots');
  }

  metricBadSlots(): cloudwatch.Metric {
    return emfMetric(this.#namespace, 'badSlots');
  }
}
