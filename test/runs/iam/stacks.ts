/** The stacks whose roles are proved: those of the app, and one with the roles that the app does not need. */
import { type App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { buildApp } from '../../../deploy/cdk/build-app.ts';
import type { DataStack } from '../../../deploy/cdk/stacks.ts';
import { exampleListener, exampleRepository, exampleStages } from '../../../deploy/cdk/synth.ts';
import { HoldfastNetwork, HoldfastServer, HoldfastWorker } from '../../../src/cdk/index.ts';
import { initAuthority } from '../../../src/certs/authority.ts';
import { type CloudTemplate, standInApp } from '../../stand-ins/cdk-stacks.ts';

/** The stacks in the order in which they can be deployed. */
export const stackNames = ['holdfast-prod-data', 'holdfast-prod', 'holdfast-more'] as const;
export type StackName = (typeof stackNames)[number];

/** The parameter with the tag of the image, from which both stacks with services read it. */
export const tagParameter = '/holdfast/prod/image-tag';

/** Synthesizes the stacks in a folder, without an account. */
export async function synthesize(folder: string, region: string): Promise<Record<StackName, CloudTemplate>> {
  await initAuthority(folder, Date.now());
  const given = {
    ...{ listenerCertificateArn: exampleListener, trustBundleFile: `${folder}/ca.crt` },
    releaseRepository: exampleRepository,
  };
  const app = buildApp(given, { outdir: `${folder}/out`, ...standInApp() }, exampleStages);
  moreRoles(app, app.node.findChild('holdfast-prod-data') as DataStack, region);
  const { stacks } = app.synth();
  const templates = stackNames.map((name) => [
    name,
    stacks.find(({ stackName }) => stackName === name)?.template,
  ]);
  return Object.fromEntries(templates) as Record<StackName, CloudTemplate>;
}

/** Adds the roles of a worker over gRPC, a program that submits, one that reads, and an operator. */
function moreRoles(app: App, { store, tagParameterName }: DataStack, region: string): void {
  const stack = new Stack(app, 'holdfast-more', { env: { region } });
  const network = new HoldfastNetwork(stack, 'Network');
  const repository = ecr.Repository.fromRepositoryName(stack, 'Images', 'images');
  const image = { repository, tagParameterName };
  const certificate = { secret: secretsmanager.Secret.fromSecretNameV2(stack, 'Secret', 'secret') };
  const server = new HoldfastServer(stack, 'Server', {
    ...{ network, store, image, certificate, hostname: 'jobs.internal', front: 'nlb' },
  });
  const queues = ['default'];
  new HoldfastWorker(stack, 'GrpcWorker', { server, image, certificate, module: 'worker.js', queues });
  const role = (id: string) => new iam.Role(stack, id, { assumedBy: new iam.AccountRootPrincipal() });
  store.grantSubmit(role('Submitter'));
  store.grantRead(role('Reader'));
  store.grantOperate(role('Operator'));
}
