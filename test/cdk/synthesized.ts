/** The stacks of the app, synthesized once for all specs of this folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { buildApp } from '../../deploy/cdk/build-app.ts';
import { exampleListener, exampleRepository, exampleStages } from '../../deploy/cdk/synth.ts';
import { initAuthority } from '../../src/certs/authority.ts';

export interface Synthesized {
  readonly app: App;
  /** The template of a stack. */
  of(stackName: string): Template;
  /** The file of PEM with an authority. */
  readonly bundle: string;
  remove(): void;
}

export async function synthesized(): Promise<Synthesized> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'));
  await initAuthority(dir, Date.now());
  const bundle = join(dir, 'ca.crt');
  const given = {
    ...{ listenerCertificateArn: exampleListener, trustBundleFile: bundle },
    releaseRepository: exampleRepository,
  };
  const app = buildApp(given, { outdir: join(dir, 'out') }, exampleStages);
  return {
    ...{ app, bundle },
    of: (name) => Template.fromStack(app.node.findChild(name) as Stack),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
