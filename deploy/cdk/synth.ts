// `npm run cdk:synth` writes the templates of dev and prod to deploy/cdk/cdk.out, without an account and without a network,
// and prints what cdk-nag found and each justification. It fails if a finding is left.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';
import { initAuthority } from '../../src/certs/authority.ts';
import { buildApp } from './build-app.ts';
import { type StageSettings, stages } from './stages.ts';

/** The certificate of a listener that does not exist: a synthesis looks nothing up. */
export const exampleListener = 'arn:aws:acm:eu-central-1:123456789012:certificate/example';

/** A repository whose releases may deploy; synthesized so that its role is checked too. */
export const exampleRepository = 'example/holdfast';

/** The stages with a worker, so that its resources are checked too. */
export const exampleStages: readonly StageSettings[] = stages.map((stage) => ({
  ...stage,
  workerModule: 'worker.js',
}));

interface Justification {
  readonly path: string;
  readonly id: string;
  readonly reason: string;
}

/** Returns the acknowledgements in an app, each with its reason. */
export function justificationsIn(root: IConstruct): Justification[] {
  const all = root.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) =>
        Object.entries(data as Record<string, unknown>).map(([id, reason]) => ({
          path: node.path,
          id,
          reason: String(reason),
        })),
      ),
  );
  // The CDK acknowledges some of its own checks itself.
  return all.filter(({ id }) => id.includes('AwsSolutions-'));
}

if (import.meta.main) {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-synth-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  await initAuthority(dir, Date.now());
  const given = {
    ...{ listenerCertificateArn: exampleListener, trustBundleFile: join(dir, 'ca.crt') },
    releaseRepository: exampleRepository,
  };
  const app = buildApp(given, { outdir: join(import.meta.dirname, 'cdk.out') }, exampleStages);
  const findings = new AwsSolutionsChecks(app).validateScope(app).violations;
  for (const one of findings) console.error(JSON.stringify(one));
  const justified = justificationsIn(app);
  for (const { path, id, reason } of justified) console.log(`${path}  ${id}\n    ${reason}`);
  if (findings.length === 0) {
    const { stacks } = app.synth();
    for (const { stackName, template } of stacks)
      console.log(`${stackName}: ${Object.keys(template.Resources).length} resources`);
  }
  console.log(`nag: findings=${findings.length} justified=${justified.length}`);
  if (findings.length > 0) process.exitCode = 1;
}
