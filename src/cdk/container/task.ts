import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecr from 'aws-cdk-lib/aws-ecr';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { HoldfastNetwork } from '../network/network.ts';
import { refusal } from '../refusal.ts';
import { type FilePlaces, secretNames } from './command-lines.ts';
import { addTelemetry, type HoldfastTelemetryProps } from './telemetry.ts';

/** The image of a container: a repository of ECR, and a parameter of SSM that has the tag to deploy. */
export interface HoldfastImageProps {
  readonly repository: ecr.IRepository;
  /**
   * The name of a parameter in SSM whose value is the image's tag. CloudFormation reads it at each deployment, and a rollback
   * writes it, so that the next deployment does not undo the rollback.
   */
  readonly tagParameterName: string;
}

/** The certificate of a process. Give either `secret` or the three paths of files in the image. */
export interface HoldfastCertificateProps {
  /** A secret of JSON with the fields `ca`, `cert` and `key`, each a PEM text. */
  readonly secret?: secretsmanager.ISecret;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** The size of a task of Fargate and where it logs. */
export interface HoldfastTaskProps {
  /** Units of CPU, 1024 for a processor. Default: 512. */
  readonly cpu?: number;
  /** Memory in MiB. Default: 1024. */
  readonly memoryMiB?: number;
  /** Default: a month. */
  readonly logRetention?: logs.RetentionDays;
  readonly telemetry?: HoldfastTelemetryProps;
}

export interface ContainerOptions extends HoldfastTaskProps {
  readonly network: HoldfastNetwork;
  readonly image: HoldfastImageProps;
  readonly certificate: HoldfastCertificateProps | undefined;
  readonly stopTimeout: Duration;
  /** Returns the command, once the places of the certificate are known. */
  readonly command: (files: FilePlaces) => string[];
  readonly environment?: (files: FilePlaces) => Record<string, string>;
  readonly secrets?: Readonly<Record<string, ecs.Secret>> | undefined;
  readonly calledSecrets?: readonly secretsmanager.ISecret[];
  readonly healthCheck?: ecs.HealthCheck;
}

/** The name of Holdfast's own container in each task. */
export const containerName = 'holdfast';

/**
 * One task of Fargate on arm64 with Holdfast's container: a read-only root, not the user root, an init process that passes
 * signals on, logs that never block the process, and the endpoints that starting it needs.
 */
export class HoldfastTask extends Construct {
  readonly definition: ecs.FargateTaskDefinition;
  readonly container: ecs.ContainerDefinition;
  readonly securityGroup: ec2.SecurityGroup;
  readonly logGroup: logs.LogGroup;
  readonly image: ecs.ContainerImage;
  readonly #options: ContainerOptions;

  /**
   * Makes a task for a construct of this package. It is no constructor, since its options have functions, which no other language of
   * the CDK could give.
   * @internal
   */
  static _create(scope: Construct, id: string, options: ContainerOptions): HoldfastTask {
    return new HoldfastTask(scope, id, options);
  }

  private constructor(scope: Construct, id: string, options: ContainerOptions) {
    super(scope, id);
    this.#options = options;
    const { network, image, certificate, stopTimeout, cpu = 512, memoryMiB = 1024 } = options;
    this.securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', {
      ...{ vpc: network.vpc, allowAllOutbound: false, description: `tasks of ${scope.node.id}` },
    });
    this.definition = new ecs.FargateTaskDefinition(this, 'Definition', {
      ...{ cpu, memoryLimitMiB: memoryMiB },
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
    });
    // CloudFormation would deregister the former revision after a deployment, and ECS goes back to no such revision.
    (this.definition.node.defaultChild as ecs.CfnTaskDefinition).applyRemovalPolicy(
      RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    );
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: options.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const tag = ssm.StringParameter.valueForStringParameter(this, image.tagParameterName);
    this.image = ecs.ContainerImage.fromEcrRepository(image.repository, tag);
    const files = placesOf(this, certificate);
    const secret = certificate?.secret;
    const fields = ['ca', 'cert', 'key'] as const;
    this.container = this.definition.addContainer(containerName, {
      ...this.#common(),
      ...{ stopTimeout, command: options.command(files) },
      environment: { ...options.environment?.(files), NODE_ENV: 'production' },
      secrets: {
        ...options.secrets,
        ...(secret !== undefined &&
          Object.fromEntries(fields.map((f) => [secretNames[f], ecs.Secret.fromSecretsManager(secret, f)]))),
      },
      ...(options.healthCheck !== undefined && { healthCheck: options.healthCheck }),
    });
    this.container.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_536, hardLimit: 65_536 });
    this.#endpoints([...(secret === undefined ? [] : [secret]), ...(options.calledSecrets ?? [])]);
    addTelemetry(this, options.telemetry, network);
    acknowledge(
      this.definition,
      'IAM5[Resource::*]',
      'ecr:GetAuthorizationToken knows no resource; the execution role has no other wildcard.',
    );
    acknowledge(
      this.definition,
      'ECS2',
      'The variables are the server’s address, names of files and settings of telemetry. Keys and policies come as secrets.',
    );
  }

  /** Adds a container that must end with success before Holdfast's container starts. */
  runBefore(id: string, command: string[]): void {
    const before = this.definition.addContainer(id, { ...this.#common(), essential: false, command });
    const condition = ecs.ContainerDependencyCondition.SUCCESS;
    this.container.addContainerDependencies({ container: before, condition });
  }

  #common() {
    const linuxParameters = new ecs.LinuxParameters(this, `Linux${this.node.children.length}`, {
      initProcessEnabled: true,
    });
    linuxParameters.dropCapabilities(ecs.Capability.ALL);
    return {
      image: this.image,
      ...{ user: '1000:1000', readonlyRootFilesystem: true, linuxParameters },
      logging: ecs.LogDrivers.awsLogs({
        ...{ streamPrefix: 'holdfast', logGroup: this.logGroup, mode: ecs.AwsLogDriverMode.NON_BLOCKING },
      }),
    };
  }

  #endpoints(secrets: readonly secretsmanager.ISecret[]): void {
    const { network, image } = this.#options;
    const from = this.securityGroup;
    const { partition, region } = Stack.of(this);
    const pulls = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
    const images = { actions: pulls, resources: [image.repository.repositoryArn] };
    network.calls('ecr.api', { actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }, from);
    for (const service of ['ecr.api', 'ecr.dkr']) network.calls(service, images, from);
    const layers = `arn:${partition}:s3:::prod-${region}-starport-layer-bucket/*`;
    network.calls('s3', { actions: ['s3:GetObject'], resources: [layers] }, from);
    const writes = ['logs:CreateLogStream', 'logs:PutLogEvents'];
    network.calls('logs', { actions: writes, resources: [this.logGroup.logGroupArn] }, from);
    if (secrets.length === 0) return;
    const resources = [...new Set(secrets.map(({ secretArn }) => secretArn))];
    // The ARN of a secret that is known by its name lacks the six characters that AWS has added.
    const read = resources.map((arn) => (arn.includes('??????') ? arn : `${arn}*`));
    network.calls('secretsmanager', { actions: ['secretsmanager:GetSecretValue'], resources: read }, from);
  }
}

/** Returns where the process finds its certificate. */
function placesOf(scope: Construct, certificate: HoldfastCertificateProps | undefined): FilePlaces {
  if (certificate === undefined) return { ca: '', cert: '', key: '' };
  const { secret, caFile: ca, certFile: cert, keyFile: key } = certificate;
  const given = [ca, cert, key].filter((file) => file !== undefined);
  if (secret !== undefined && given.length > 0)
    throw refusal(scope, 'a certificate is given as a secret and as files.', 'Give one of both.');
  if (secret !== undefined)
    return { ca: `env:${secretNames.ca}`, cert: `env:${secretNames.cert}`, key: `env:${secretNames.key}` };
  if (ca === undefined || cert === undefined || key === undefined) {
    const help = 'Give a secret, or all of caFile, certFile and keyFile.';
    throw refusal(scope, 'a certificate needs three files.', help);
  }
  return { ca, cert, key };
}
