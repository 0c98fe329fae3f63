/** A world whose stage is the deployed stacks of the app: their services, task definitions, parameters and repository. */
import { ECRClient } from '@aws-sdk/client-ecr';
import {
  DeregisterTaskDefinitionCommand,
  DescribeServicesCommand,
  ECSClient,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { openDeployments } from '../../../src/cli/deploy/aws/deployments.ts';
import { openTable } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { AwsStandIn } from '../../stand-ins/ministack-aws.ts';
import type { Double } from './rollback/double.ts';
import { closing, imagesIn, labelsOf, movesOn, tableAndEnd, tags, type World } from './rollback/world.ts';
import { deployStage, type StageTemplates } from './stages.ts';

/** Deploys the stacks with the first tag, then again with the second; the third is in ECR and was never deployed. */
export async function openStackWorld(
  aws: AwsStandIn,
  templates: StageTemplates,
  double: Double | undefined,
): Promise<World> {
  const endpoint = double?.endpoint ?? aws.endpoint;
  const { accessKeyId, secretAccessKey } = aws.root.credentials;
  const { region } = aws;
  Object.assign(process.env, { AWS_REGION: region, AWS_ENDPOINT_URL: endpoint });
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
  const { name: stage, table } = templates;
  const clock = systemClock();
  const [ecs, ecr] = [new ECSClient(aws.root), new ECRClient(aws.root)];
  // The double plays the service that the command sees, and the stack updates the one behind it.
  const called = new ECSClient({ ...aws.root, endpoint });
  let images = imagesIn(ecr, '', double);
  const deployed = await deployStage(aws, templates, {
    tag: tags[0],
    async push(repository) {
      images = imagesIn(ecr, repository, double);
      for (const tag of tags) await images.pushImage(tag, labelsOf(tag));
    },
  });
  const { cluster, service } = await deployed.place('api');
  const arns = new Map<string, string>();
  async function deployedNow(tag: string): Promise<{ readonly arn: string; readonly desired: number }> {
    const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
    const { taskDefinition: arn = '', desiredCount: desired = 0 } = services?.[0] ?? {};
    arns.set(tag, arn);
    return { arn, desired };
  }
  const first = await deployedNow(tags[0]);
  double?.adopt(cluster, service, first.arn, first.desired);

  const store = openTable({ table, clock });
  const deployments = await openDeployments(undefined, clock);
  const lines: string[] = [];
  const world: World = {
    ...{ stage, double, deployments, lines },
    ...images,
    ...movesOn(deployments, { stage, clock, lines }),
    async release(tag, how = 'atOnce') {
      await deployed.release(tag);
      const { arn } = await deployedNow(tag);
      if (double === undefined) return;
      double.play(arn, how);
      await called.send(new UpdateServiceCommand({ cluster, service, taskDefinition: arn }));
    },
    async deregister(tag) {
      await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: arns.get(tag) }));
    },
    ...tableAndEnd(store, [deployments, ...[ecs, ecr, called].map(closing)], double),
  };
  await world.release(tags[1]);
  return world;
}
