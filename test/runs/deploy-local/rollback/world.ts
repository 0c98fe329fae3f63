/** A stage with one service and three tags, made by the SDK's own calls on a double, on ministack, or on a double before it. */
import {
  BatchDeleteImageCommand,
  CreateRepositoryCommand,
  ECRClient,
  PutImageCommand,
} from '@aws-sdk/client-ecr';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeregisterTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { openDeployments } from '../../../../src/cli/deploy/aws/deployments.ts';
import { servicesOf } from '../../../../src/cli/deploy/find.ts';
import { type Moved, move } from '../../../../src/cli/deploy/move.ts';
import type { Deployable, Deployments } from '../../../../src/cli/deploy/port.ts';
import { isGoneBack, prepareForward, prepareRollback } from '../../../../src/cli/deploy/prepare.ts';
import { see } from '../../../../src/cli/deploy/reach.ts';
import { type ServiceStatus, statusOf } from '../../../../src/cli/deploy/status.ts';
import { deployableParameter } from '../../../../src/core/deployments/names.ts';
import { createTable, openTable, raiseTableSchema } from '../../../../src/engines/aws/index.ts';
import { systemClock } from '../../../../src/platform/clock.ts';
import type { Clock } from '../../../../src/ports/clock.ts';
import type { Double } from './double.ts';
import type { Play } from './played-service.ts';

/** The names that all cases use. Each world has a stage of its own, so that many can be made on one ministack. */
export const parameter = (stage: string): string => `/holdfast/${stage}/image-tag`;
export const tags = ['1.0.0', '1.1.0', '1.2.0'] as const;

export interface MoveFlags {
  readonly to?: string;
  readonly acceptUnknownSchema?: boolean;
  readonly dryRun?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The port, where a case watches or breaks it. */
  readonly port?: Deployments;
}

export interface World {
  readonly stage: string;
  /** Undefined on ministack alone, which plays no rollouts. */
  readonly double: Double | undefined;
  readonly deployments: Deployments;
  /** The lines of progress. */
  readonly lines: string[];
  rollback(flags?: MoveFlags): Promise<Moved>;
  forward(flags?: MoveFlags): Promise<Moved | undefined>;
  status(): Promise<ServiceStatus>;
  /** Deploys a tag as a release does: it writes the parameter and updates the service. */
  release(tag: string, how?: Play): Promise<void>;
  deregister(tag: string): Promise<void>;
  deleteImage(tag: string): Promise<void>;
  pushImage(tag: string, labels: Readonly<Record<string, string>>, form?: 'index'): Promise<void>;
  setSchema(number: number): Promise<void>;
  close(): Promise<void>;
}

const credentials = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
let worlds = 0;

/** Makes a stage whose service runs the second tag; the third is in ECR and was never deployed. */
export async function openWorld(endpoint: string, double: Double | undefined): Promise<World> {
  Object.assign(process.env, credentials, { AWS_ENDPOINT_URL: endpoint });
  worlds += 1;
  const stage = `stage${worlds}`;
  const names = { cluster: `cluster-${stage}`, service: `service-${stage}`, repository: `images-${stage}` };
  const table = `holdfast-${stage}`;
  const clock = systemClock();
  const [ecs, ecr, ssm] = [new ECSClient({}), new ECRClient({}), new SSMClient({})];
  const arns = new Map<string, string>();
  const lines: string[] = [];
  await ecs.send(new CreateClusterCommand({ clusterName: names.cluster }));
  await ecr.send(new CreateRepositoryCommand({ repositoryName: names.repository }));
  const store = openTable({ table, clock });
  if (double === undefined || double.isBefore) await createTable(store.client, table, clock);

  async function write(name: string, value: string): Promise<void> {
    await ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: 'String', Overwrite: true }));
  }
  async function register(tag: string): Promise<string> {
    const image = `000000000000.dkr.ecr.eu-central-1.amazonaws.com/${names.repository}:${tag}`;
    const command = ['serve', '--engine', 'aws', '--table', table];
    const { taskDefinition } = await ecs.send(
      new RegisterTaskDefinitionCommand({
        ...{ family: `family-${stage}`, cpu: '512', memory: '1024' },
        containerDefinitions: [
          { name: 'register-0', image, command: ['aws', 'init'] },
          { name: 'holdfast', image, command, environment: [{ name: 'NODE_ENV', value: 'production' }] },
        ],
      }),
    );
    const arn = taskDefinition?.taskDefinitionArn ?? '';
    arns.set(tag, arn);
    return arn;
  }
  const images = imagesIn(ecr, names.repository, double);
  for (const tag of tags) await images.pushImage(tag, labelsOf(tag));
  const first = await register(tags[0]);
  await ecs.send(
    new CreateServiceCommand({
      ...{ cluster: names.cluster, serviceName: names.service, taskDefinition: first, desiredCount: 2 },
    }),
  );
  await write(
    deployableParameter(stage, 'api'),
    JSON.stringify({ ...names, tagParameter: parameter(stage), alarmPrefix: `${stage}-` }),
  );

  const deployments = await openDeployments(undefined, clock);
  const world: World = {
    ...{ stage, double, deployments, lines },
    ...images,
    ...movesOn(deployments, { stage, clock, lines }),
    async release(tag, how = 'atOnce') {
      const arn = arns.get(tag) ?? (await register(tag));
      double?.play(arn, how);
      await write(parameter(stage), tag);
      const { cluster, service } = names;
      await ecs.send(new UpdateServiceCommand({ cluster, service, taskDefinition: arn }));
    },
    async deregister(tag) {
      await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: arns.get(tag) }));
    },
    ...tableAndEnd(store, [deployments, ...[ecs, ecr, ssm].map(closing)], double),
  };
  await world.release(tags[1]);
  return world;
}

type Closable = Pick<Deployments, 'close'>;

export const closing = (client: { destroy(): void }): Closable => ({ close: () => client.destroy() });

/** Returns the parts of a world that change its table and that end it. */
export function tableAndEnd(
  store: Pick<ReturnType<typeof openTable>, 'registry' | 'close'>,
  opened: readonly Closable[],
  double: Double | undefined,
): Pick<World, 'setSchema' | 'close'> {
  return {
    setSchema: (number) => raiseTableSchema(store.registry, number),
    async close() {
      for (const one of opened) one.close();
      await store.close();
      await double?.close();
    },
  };
}

/** Returns what the command does, on the service `api` of a stage. */
export function movesOn(
  deployments: Deployments,
  { stage, clock, lines }: { readonly stage: string; readonly clock: Clock; readonly lines: string[] },
): Pick<World, 'rollback' | 'forward' | 'status'> {
  const found = async (): Promise<Deployable> => (await servicesOf(deployments, stage, 'api'))[0];
  const optionsOf = ({ port = deployments, timeoutMs = 20_000, dryRun = false, signal }: MoveFlags) => ({
    ...{ deployments: port, clock, timeoutMs, pollMs: 5, dryRun },
    ...{ again: 'holdfast deploy rollback api', where: '' },
    ...{ signal: signal ?? new AbortController().signal, prometheus: undefined },
    note: (line: string) => void lines.push(line),
  });
  const checksOf = ({ port = deployments, acceptUnknownSchema = false }: MoveFlags) => ({
    ...{ deployments: port, acceptUnknownSchema },
  });
  return {
    async rollback(flags = {}) {
      return move(await prepareRollback(await found(), flags.to, checksOf(flags)), optionsOf(flags));
    },
    async forward(flags = {}) {
      const service = await found();
      const seen = await see(deployments, service);
      if (seen.record === undefined || !isGoneBack(seen)) return undefined;
      return move(await prepareForward(service, seen.record, checksOf(flags)), optionsOf(flags));
    },
    status: async () => statusOf(deployments, await found()),
  };
}

/** The labels of an image of Holdfast with a tag. */
export function labelsOf(tag: string): Record<string, string> {
  return { 'org.opencontainers.image.version': tag, 'io.holdfast.schema': '1' };
}

/** Returns the pushes to a repository, whose images have labels and no layers. */
export function imagesIn(
  ecr: ECRClient,
  repositoryName: string,
  double: Double | undefined,
): Pick<World, 'pushImage' | 'deleteImage'> {
  async function put(manifest: object, tag: string | undefined): Promise<string> {
    const imageManifest = JSON.stringify(manifest);
    const { image } = await ecr.send(
      new PutImageCommand({
        ...{ repositoryName, imageManifest },
        imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
        ...(tag !== undefined && { imageTag: tag }),
      }),
    );
    return image?.imageId?.imageDigest ?? '';
  }
  /** Without a double no configuration can be downloaded, so that the labels are annotations. */
  function manifestOf(tag: string, labels: Readonly<Record<string, string>>): object {
    if (double === undefined) return { schemaVersion: 2, annotations: { ...labels, tag } };
    const digest = `sha256:config-${repositoryName}-${tag}`;
    double.addBlob(digest, JSON.stringify({ config: { Labels: labels } }));
    return { schemaVersion: 2, config: { digest } };
  }
  return {
    async pushImage(tag, labels, form) {
      if (form === undefined) {
        await put(manifestOf(tag, labels), tag);
        return;
      }
      const arm = await put(manifestOf(tag, labels), undefined);
      const platform = (architecture: string) => ({ architecture, os: 'linux' });
      const manifests = [
        { digest: 'sha256:attestation', platform: platform('unknown') },
        { digest: 'sha256:other', platform: platform('amd64') },
        { digest: arm, platform: platform('arm64') },
      ];
      await put({ schemaVersion: 2, manifests }, tag);
    },
    async deleteImage(tag) {
      const request = { repositoryName, imageIds: [{ imageTag: tag }] };
      await ecr.send(new BatchDeleteImageCommand(request));
    },
  };
}

/** Decides how the rollout of a tag that was deployed before goes. */
export async function playTag(world: World, tag: string, how: Play): Promise<void> {
  const [service] = await servicesOf(world.deployments, world.stage, 'api');
  const { primary } = await world.deployments.state(service);
  const revisions = await world.deployments.revisions(service, primary.family);
  for (const one of revisions) if (one.tag === tag) world.double?.play(one.arn, how);
}
