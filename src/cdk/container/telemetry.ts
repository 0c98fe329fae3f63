import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { HoldfastNetwork } from '../network/network.ts';
import { refusal } from '../refusal.ts';

/** A collector of OpenTelemetry beside each task, which listens on localhost:4318. */
export interface HoldfastCollectorProps {
  readonly image: ecs.ContainerImage;
  /** Its configuration in YAML. The container gets it as OTEL_CONFIG; start it with `--config=env:OTEL_CONFIG`. */
  readonly config: ssm.IStringParameter;
  /** Memory in MiB. Default: 128. */
  readonly memoryMiB?: number;
  /** The AWS service to which it exports, as in the names of endpoints, such as `xray`. Default: none. */
  readonly service?: string;
  /** The actions of that service. */
  readonly actions?: string[];
}

/**
 * The destination of traces and metrics over OTLP: either an endpoint inside the VPC or a collector. The metrics that scaling
 * and rollback need are lines of the log, and need neither.
 */
export interface HoldfastTelemetryProps {
  /** Such as `http://collector.internal:4318`. */
  readonly otlpEndpoint?: string;
  readonly collector?: HoldfastCollectorProps;
}

/** The parts of a task to which telemetry is added. */
interface TelemetryTask extends Construct {
  readonly definition: ecs.FargateTaskDefinition;
  readonly container: ecs.ContainerDefinition;
  readonly securityGroup: ec2.SecurityGroup;
  readonly logGroup: logs.LogGroup;
}

export function addTelemetry(
  task: TelemetryTask,
  telemetry: HoldfastTelemetryProps | undefined,
  network: HoldfastNetwork,
): void {
  if (telemetry === undefined) return;
  const { otlpEndpoint, collector } = telemetry;
  if ((otlpEndpoint === undefined) === (collector === undefined)) {
    const sentence = 'telemetry names both an endpoint and a collector, or none.';
    throw refusal(task, sentence, 'Give otlpEndpoint inside the VPC, or a collector beside each task.');
  }
  const endpoint = otlpEndpoint ?? 'http://127.0.0.1:4318';
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw refusal(
      task,
      `otlpEndpoint is '${endpoint}'.`,
      'Give a URL, such as http://collector.internal:4318.',
    );
  task.container.addEnvironment('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint);
  if (collector === undefined) return;
  const { image, config, memoryMiB = 128, service, actions = [] } = collector;
  if ((service === undefined) !== (actions.length === 0))
    throw refusal(task, 'a collector names a service or actions alone.', 'Give both, or none.');
  task.definition.addContainer('collector', {
    ...{ image, essential: false, memoryLimitMiB: memoryMiB, user: '10001', readonlyRootFilesystem: true },
    command: ['--config=env:OTEL_CONFIG'],
    secrets: { OTEL_CONFIG: ecs.Secret.fromSsmParameter(config) },
    logging: ecs.LogDrivers.awsLogs({
      ...{ streamPrefix: 'collector', logGroup: task.logGroup, mode: ecs.AwsLogDriverMode.NON_BLOCKING },
    }),
  });
  const call = { actions: ['ssm:GetParameters'], resources: [config.parameterArn] };
  network.calls('ssm', call, task.securityGroup);
  if (service !== undefined) network.calls(service, { actions, resources: ['*'] }, task.securityGroup);
}
