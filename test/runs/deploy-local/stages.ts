/** The stages of the app, synthesized without an account and deployed to one on the stand-in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { App } from 'aws-cdk-lib';
import { AppStack, DataStack } from '../../../deploy/cdk/stacks.ts';
import { exampleListener, exampleStages } from '../../../deploy/cdk/synth.ts';
import { initAuthority } from '../../../src/certs/authority.ts';
import { deployableParameter } from '../../../src/core/deployments/names.ts';
import {
  type CloudTemplate,
  deployAgain,
  deployStack,
  knownParts,
  standInApp,
} from '../../stand-ins/cdk-stacks.ts';
import type { AwsStandIn } from '../../stand-ins/ministack-aws.ts';
import { writeParameter } from '../../stand-ins/parameters.ts';

export interface StageTemplates {
  readonly name: string;
  readonly table: string;
  readonly tagParameter: string;
  readonly data: CloudTemplate;
  readonly app: CloudTemplate;
}

/** Synthesizes the stages of `deploy/cdk/stages.ts` with an example's worker, each with one more queue, as an operator adds it to that file. */
export async function synthesizeStages(queue: string, region: string): Promise<readonly StageTemplates[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-stages-'));
  try {
    await initAuthority(folder, Date.now());
    const given = { listenerCertificateArn: exampleListener, trustBundleFile: join(folder, 'ca.crt') };
    const app = new App({ outdir: join(folder, 'out'), ...standInApp() });
    const env = { region };
    const made = exampleStages.map((settings) => {
      const stage = { ...settings, queues: [...settings.queues, queue] };
      const data = new DataStack(app, `holdfast-${stage.name}-data`, stage, { env });
      const ofApp = new AppStack(app, `holdfast-${stage.name}`, { stage, data, given }, { env });
      return { stage, data, ofApp };
    });
    const { stacks } = app.synth();
    const templateOf = (name: string): CloudTemplate =>
      stacks.find(({ stackName }) => stackName === name)?.template as CloudTemplate;
    return made.map(({ stage: { name, tableName }, data, ofApp }) => ({
      ...{ name, table: tableName, tagParameter: data.tagParameterName },
      ...{ data: templateOf(data.stackName), app: templateOf(ofApp.stackName) },
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The parts of a stage that `holdfast deploy` finds by the parameters of the stack. */
export interface Place {
  readonly cluster: string;
  readonly service: string;
  readonly repository: string;
}

export interface DeployedStage {
  readonly stage: StageTemplates;
  /** The names by ids of the stack of the app. */
  readonly ids: Readonly<Record<string, string>>;
  place(service: string): Promise<Place>;
  /** Writes a tag as a release does, and deploys the stack of the app again, which reads it. */
  release(tag: string): Promise<void>;
  deployAgain(): Promise<void>;
}

/** Deploys a stage in the order of docs/deployment.md; `push` pushes the image of the first tag to the repository. */
export async function deployStage(
  aws: AwsStandIn,
  stage: StageTemplates,
  { tag, push }: { readonly tag: string; readonly push: (repository: string) => Promise<void> },
): Promise<DeployedStage> {
  const { name, data, app, tagParameter } = stage;
  const { ids: dataIds } = await deployStack(aws, `holdfast-${name}-data`, data);
  const repository = Object.entries(data.Resources).find(([, { Type }]) => Type === 'AWS::ECR::Repository');
  await push(dataIds[repository?.[0] ?? ''] ?? '');
  const write = (value: string) => writeParameter(aws, tagParameter, value);
  await write(tag);
  const { ids } = await deployStack(aws, `holdfast-${name}`, app);
  const again = () => deployAgain(aws, `holdfast-${name}`, app);
  return {
    ...{ stage, ids, deployAgain: again },
    place: (service) =>
      withSsm(aws, async (ssm) => {
        const request = new GetParameterCommand({ Name: deployableParameter(name, service) });
        return JSON.parse((await ssm.send(request)).Parameter?.Value ?? '') as Place;
      }),
    async release(next) {
      await write(next);
      await again();
    },
  };
}

async function withSsm<T>(aws: AwsStandIn, run: (ssm: SSMClient) => Promise<T>): Promise<T> {
  const ssm = new SSMClient(aws.root);
  try {
    return await run(ssm);
  } finally {
    ssm.destroy();
  }
}

/** Returns the resources that are not deployed, by their types, with how many there are. */
export function removedTypes({ data, app }: StageTemplates): ReadonlyMap<string, number> {
  const removed = [data, app].flatMap((template) => {
    const kept = knownParts(template).Resources;
    return Object.entries(template.Resources).flatMap(([id, { Type }]) => (id in kept ? [] : [Type]));
  });
  return new Map(
    [...Map.groupBy(removed, (type) => type)].map(([type, all]) => [type, all.length] as const).sort(),
  );
}
