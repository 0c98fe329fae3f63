import { Stack } from 'aws-cdk-lib';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { deployableParameter, serviceNamePattern, stagePattern } from '../../core/deployments/names.ts';
import type { HoldfastImageProps } from '../container/task.ts';
import { refusal } from '../refusal.ts';

/** A service that `holdfast deploy` can roll back. */
export interface HoldfastDeployableProps {
  /** The name by which `holdfast deploy rollback <name>` calls it, such as `api`. */
  readonly name: string;
  readonly service: ecs.FargateService;
  /** The image of the service, and the parameter that has its tag. */
  readonly image: HoldfastImageProps;
}

/** Properties of `HoldfastDeployment`. */
export interface HoldfastDeploymentProps {
  /** The name of the stage, such as `prod`: 1 to 64 letters, digits, `.`, `_` or `-`. */
  readonly stage: string;
  readonly services: HoldfastDeployableProps[];
}

/**
 * The names by which `holdfast deploy` finds the services of a stage: a parameter of SSM for each, with its cluster, its
 * service, the repository of its images and the parameter of its tag.
 */
export class HoldfastDeployment extends Construct {
  readonly stage: string;
  /** The names of the services that can be rolled back. */
  readonly serviceNames: string[];

  constructor(scope: Construct, id: string, { stage, services }: HoldfastDeploymentProps) {
    super(scope, id);
    const help = 'Write 1 to 64 letters, digits, dots, _ or -.';
    if (!stagePattern.test(stage)) throw refusal(this, `'${stage}' is not a name of a stage.`, help);
    if (services.length === 0)
      throw refusal(this, 'no service is named.', 'Name the services that can be rolled back.');
    const names = services.map(({ name }) => name);
    for (const [i, name] of names.entries()) {
      if (!serviceNamePattern.test(name)) throw refusal(this, `'${name}' is not a name of a service.`, help);
      if (names.indexOf(name) !== i)
        throw refusal(this, `the service '${name}' is named twice.`, 'Name each service once.');
    }
    this.stage = stage;
    this.serviceNames = names;
    const { stackName } = Stack.of(this);
    for (const { name, service, image } of services) {
      new ssm.StringParameter(this, name, {
        parameterName: deployableParameter(stage, name),
        description: 'A service that holdfast deploy can roll back',
        stringValue: Stack.of(this).toJsonString({
          cluster: service.cluster.clusterName,
          service: service.serviceName,
          repository: image.repository.repositoryName,
          tagParameter: image.tagParameterName,
          // CloudFormation begins the name of each alarm that it makes with the name of the stack.
          alarmPrefix: `${stackName}-`,
        }),
      });
    }
  }
}
