/** The ninth question: how the API goes back to its former image. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../../src/certs/authority.ts';
import { runProgram } from '../../telemetry/processes.ts';
import type { Evidence, Question } from '../question.ts';

const root = new URL('../../../../', import.meta.url).pathname;
const main = `${root}src/cli/main.ts`;
const runbook = 'docs/runbooks/rollback.md';
const parts = 'test/runs/deploy-local/rollback';

/** The parts of `npm run rollback` that this question uses. */
interface Double {
  readonly endpoint: string;
}
interface World {
  readonly stage: string;
  release(tag: string, how?: string): Promise<void>;
  close(): Promise<void>;
}
interface RollbackParts {
  startMinistack(): Promise<{ readonly endpoint: string; stop(): Promise<void> }>;
  startDouble(behind?: string): Promise<Double>;
  openWorld(endpoint: string, double: Double): Promise<World>;
}

interface Service {
  readonly tag: string;
  readonly parameter: string;
  readonly tagParameter: string;
  readonly steady: boolean;
  readonly sentence: string;
}

async function loadParts(): Promise<RollbackParts> {
  const files = ['ministack.ts', 'double.ts', 'world.ts'].map((file) => `${root}${parts}/${file}`);
  const missing = files.find((file) => !existsSync(file));
  if (missing !== undefined) throw new Error(`${missing.slice(root.length)} is missing`);
  const modules = (await Promise.all(files.map((file) => import(file)))) as object[];
  return Object.assign({}, ...modules) as RollbackParts;
}

/** Returns the commands of the AWS CLI that a page names, one a line. */
export function awsCommands(page: string): readonly string[] {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  return lines.filter((line) => /(^|\$\()aws (ecs|ssm|ecr) /.test(line));
}

async function statusOf(evidence: Evidence, stage: string, when: string): Promise<Service> {
  const argv = ['deploy', 'status', 'api', '--stage', stage, '--json'];
  const { services } = JSON.parse(await runProgram([main, ...argv], {})) as { services: readonly Service[] };
  const [service] = services;
  if (service === undefined) throw new Error(`stage ${stage} has no service`);
  const { tag, parameter, tagParameter, steady, sentence } = service;
  evidence.see(
    `${when}: runs ${tag}, ${tagParameter} = ${parameter}, ${steady ? 'steady' : 'not steady'}: ${sentence}`,
  );
  return service;
}

async function rollBack(evidence: Evidence, stage: string, to: string): Promise<void> {
  evidence.act(`holdfast deploy rollback api --stage ${stage}`);
  const output = await runProgram([main, 'deploy', 'rollback', 'api', '--stage', stage], {});
  evidence.see(output.trim());
  const after = await statusOf(evidence, stage, 'after');
  evidence.expect(after.tag === to && after.steady, `${after.tag} runs in place of ${to}`);
  evidence.expect(after.parameter === to, `the next deployment takes ${after.parameter} in place of ${to}`);
}

interface TemplateParameter {
  readonly Type: string;
  readonly Default?: string;
}

/** Shows that the template of the stack has the name of the parameter, and no tag. */
async function seeTemplate(evidence: Evidence): Promise<void> {
  evidence.act('the stacks of deploy/cdk are synthesized');
  // The CDK takes a second to load, and one question needs it.
  const [{ buildApp }, { exampleListener }] = await Promise.all([
    import('../../../../deploy/cdk/build-app.ts'),
    import('../../../../deploy/cdk/synth.ts'),
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-review-synth-'));
  try {
    await initAuthority(dir, Date.now());
    const given = { listenerCertificateArn: exampleListener, trustBundleFile: join(dir, 'ca.crt') };
    const { stacks } = buildApp(given, { outdir: join(dir, 'cdk.out') }).synth();
    const found = stacks.flatMap(({ stackName, template }) => {
      const { Parameters = {} } = template as { Parameters?: Readonly<Record<string, TemplateParameter>> };
      return Object.values(Parameters)
        .filter((one) => one.Default?.endsWith('/image-tag') === true)
        .map((one) => ({ stackName, ...one }));
    });
    for (const { stackName, Type, Default } of found)
      evidence.see(`the template of ${stackName} reads the tag at each deployment: ${Type}, ${Default}`);
    evidence.expect(
      found.length > 0 && found.every(({ Type }) => Type.startsWith('AWS::SSM::Parameter::Value')),
      'no template reads the tag from a parameter of SSM',
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const rollback: Question = {
  number: 9,
  title: 'How is the API rolled back to its former image tag, and why does the next cdk deploy not undo it?',
  async answer(evidence) {
    const { startMinistack, startDouble, openWorld } = await loadParts();
    const ministack = await startMinistack();
    try {
      for (const how of ['finished', 'failing'] as const) {
        const double = await startDouble(ministack.endpoint);
        const world = await openWorld(double.endpoint, double);
        try {
          if (how === 'failing') {
            evidence.act('the tag 1.2.0 is deployed, and its tasks do not start');
            await world.release('1.2.0', 'failing');
          } else evidence.act('the tag 1.1.0 runs after 1.0.0: a deployment that has ended');
          const before = await statusOf(evidence, world.stage, 'before');
          evidence.expect(before.steady === (how === 'finished'), `${how}: steady is ${before.steady}`);
          await rollBack(evidence, world.stage, how === 'finished' ? '1.0.0' : '1.1.0');
        } finally {
          await world.close();
        }
      }
    } finally {
      await ministack.stop();
    }
    const commands = awsCommands(readFileSync(`${root}${runbook}`, 'utf8'));
    evidence.see(`the same by the AWS CLI (${runbook}):`);
    for (const command of commands) evidence.see(`  ${command}`);
    evidence.expect(
      commands.some((line) => line.includes('aws ecs update-service')) &&
        commands.some((line) => line.includes('aws ssm put-parameter')),
      `${runbook} has no update of the service or of the parameter by the AWS CLI`,
    );
    await seeTemplate(evidence);
  },
};
