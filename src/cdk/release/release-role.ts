import { CfnOutput, Duration, Stack, Token } from 'aws-cdk-lib';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { smokeActions, statusActions } from '../../core/deployments/actions.ts';
import { rollbackParameter, servicesPath } from '../../core/deployments/names.ts';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { HoldfastCanary } from '../canary/canary.ts';
import type { HoldfastImageProps } from '../container/task.ts';
import type { HoldfastDeployment } from '../deployment/deployment.ts';
import { refusal } from '../refusal.ts';
import type { HoldfastServer } from '../server/server.ts';

/** Properties of `HoldfastReleaseRole`. */
export interface HoldfastReleaseRoleProps {
  /** The repository on GitHub whose workflows may assume the role, as `owner/name`. */
  readonly repository: string;
  /** The environment of that repository, whose protection rules say who approves a deployment, such as `production`. */
  readonly environment: string;
  /** The image that a release pushes, and the parameter of its tag that a release writes. */
  readonly image: HoldfastImageProps;
  readonly server: HoldfastServer;
  /** The canary, beside which the smoke test of a release runs. */
  readonly canary: HoldfastCanary;
  /** The services whose state a release prints at its end, by `holdfast deploy status`. */
  readonly deployment: HoldfastDeployment;
  /**
   * The ARN of the account's provider for GitHub's OIDC. Default: the one of `token.actions.githubusercontent.com`, which an
   * account has once.
   */
  readonly providerArn?: string;
  /** The qualifier with which the account was bootstrapped for the CDK. Default: `hnb659fds`. */
  readonly bootstrapQualifier?: string;
}

const issuer = 'token.actions.githubusercontent.com';

/**
 * The role of a release workflow on GitHub, assumed by OIDC: there is no key that lives long. Its trust names one repository
 * and one environment. It may assume the roles that `cdk bootstrap` has made, push one image, write one tag, run the smoke
 * test, and read how a deployment goes. CloudFormation creates the resources by its own role, not by this one.
 */
export class HoldfastReleaseRole extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: HoldfastReleaseRoleProps) {
    super(scope, id);
    checkProps(this, props);
    const { repository, environment } = props;
    const { partition, account } = Stack.of(this);
    const providerArn = props.providerArn ?? `arn:${partition}:iam::${account}:oidc-provider/${issuer}`;
    this.role = new iam.Role(this, 'Role', {
      description: `Releases of ${repository} to the environment ${environment}`,
      maxSessionDuration: Duration.hours(1),
      assumedBy: new iam.WebIdentityPrincipal(providerArn, {
        StringEquals: {
          [`${issuer}:aud`]: 'sts.amazonaws.com',
          [`${issuer}:sub`]: `repo:${repository}:environment:${environment}`,
        },
      }),
    });
    this.#allowDeploy(props);
    this.#allowImage(props.image);
    this.#allowSmokeTest(props.canary);
    this.#allowStatus(props);
    new CfnOutput(this, 'RoleArn', { value: this.role.roleArn });
  }

  #allow(
    actions: readonly string[],
    resources: string[],
    conditions?: Record<string, Record<string, string>>,
  ): void {
    this.role.addToPolicy(
      new iam.PolicyStatement({
        ...{ actions: [...actions], resources },
        ...(conditions !== undefined && { conditions }),
      }),
    );
  }

  #allowDeploy({ bootstrapQualifier = 'hnb659fds' }: HoldfastReleaseRoleProps): void {
    const { partition, account, region } = Stack.of(this);
    const roles = ['deploy', 'file-publishing', 'lookup'].map(
      (kind) =>
        `arn:${partition}:iam::${account}:role/cdk-${bootstrapQualifier}-${kind}-role-${account}-${region}`,
    );
    this.#allow(['sts:AssumeRole'], roles);
  }

  #allowImage({ repository, tagParameterName }: HoldfastImageProps): void {
    this.#allow(['ecr:GetAuthorizationToken', ...statusActions.taskDefinitions], ['*']);
    acknowledge(
      this.role,
      'IAM5[Resource::*]',
      'AWS knows no resource for ecr:GetAuthorizationToken and for the reads of task definitions; the role has no other statement for all resources.',
    );
    // `holdfast deploy status` reads the labels of an image by two of these actions, and so does a push.
    this.#allow(
      [
        ...['ecr:BatchCheckLayerAvailability', 'ecr:CompleteLayerUpload', 'ecr:InitiateLayerUpload'],
        ...['ecr:PutImage', 'ecr:UploadLayerPart', ...statusActions.images],
      ],
      [repository.repositoryArn],
    );
    this.#allow([...statusActions.parameters, 'ssm:PutParameter'], [this.#parameter(tagParameterName)]);
  }

  #parameter(name: string): string {
    const resourceName = name.replace(/^\//, '');
    return Stack.of(this).formatArn({ service: 'ssm', resource: 'parameter', resourceName });
  }

  #allowSmokeTest({ service, task }: HoldfastCanary): void {
    const { definition } = task;
    const inCluster = { ArnEquals: { 'ecs:cluster': service.cluster.clusterArn } };
    this.#allow(smokeActions.taskDefinition, [definition.taskDefinitionArn], inCluster);
    this.#allow(['iam:PassRole'], [definition.taskRole.roleArn, definition.obtainExecutionRole().roleArn], {
      StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' },
    });
    const tasks = this.#ofCluster('task', service.cluster);
    this.#allow(smokeActions.tasks, [tasks]);
    acknowledgeWildcard(
      this.role,
      tasks,
      'AWS gives a task of ECS its id when it starts. The ARN is limited to the cluster.',
    );
  }

  /**
   * Allows the reads of `holdfast deploy status`, of all services beside the server. The canary's service, which the smoke test
   * reads, is one of them.
   */
  #allowStatus({ server, deployment }: HoldfastReleaseRoleProps): void {
    const { stage, serviceNames } = deployment;
    const resources = ['service', 'service-deployment', 'service-revision'].map((kind) =>
      this.#ofCluster(kind, server.cluster),
    );
    this.#allow(statusActions.services, resources);
    const reason =
      'Each deployment is a resource of its own, and so is each revision. The ARN is limited to the cluster of one installation.';
    for (const resource of resources) acknowledgeWildcard(this.role, resource, reason);
    this.#allow(statusActions.path, [this.#parameter(servicesPath(stage))]);
    const records = serviceNames.map((name) => this.#parameter(rollbackParameter(stage, name)));
    this.#allow(statusActions.parameters, records);
  }

  #ofCluster(kind: string, { clusterName }: ecs.ICluster): string {
    return Stack.of(this).formatArn({ service: 'ecs', resource: kind, resourceName: `${clusterName}/*` });
  }
}

function checkProps(scope: Construct, props: HoldfastReleaseRoleProps): void {
  const { repository, environment, bootstrapQualifier = 'hnb659fds' } = props;
  if (Token.isUnresolved(repository) || !/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/.test(repository))
    throw refusal(
      scope,
      `'${repository}' is no repository.`,
      'Write owner/name of one: whatever matches may deploy.',
    );
  if (Token.isUnresolved(environment) || !/^[A-Za-z0-9 ._-]{1,255}$/.test(environment))
    throw refusal(
      scope,
      `'${environment}' is no environment.`,
      'Write the name of one environment, such as production.',
    );
  if (!/^[a-z0-9]{1,10}$/.test(bootstrapQualifier))
    throw refusal(
      scope,
      `bootstrapQualifier is '${bootstrapQualifier}'.`,
      'Write the 1 to 10 letters and digits that cdk bootstrap got.',
    );
}
