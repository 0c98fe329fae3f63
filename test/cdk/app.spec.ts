/** Runs the app of deploy/cdk as `npx cdk` does, and builds it as it is before anybody has edited its stages. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, it, onTestFinished } from 'vitest';
import { buildApp } from '../../deploy/cdk/build-app.ts';
import { exampleListener } from '../../deploy/cdk/synth.ts';
import { initAuthority } from '../../src/certs/authority.ts';

const folder = new URL('../../deploy/cdk/', import.meta.url).pathname;

function app(context: Record<string, string>) {
  const env = { ...process.env, CDK_CONTEXT_JSON: JSON.stringify(context) };
  return spawnSync(process.execPath, ['app.ts'], { cwd: folder, env, encoding: 'utf8', timeout: 120_000 });
}

it('a missing value of the context ends the app with a sentence', () => {
  const { status, stderr } = app({});
  expect(stderr.trim()).toBe('Give -c listenerCertificateArn=<ARN in ACM> and -c trustBundle=<file of PEM>.');
  expect(status).toBe(2);
});

it('a refused property ends the app with its sentence alone, without a stack trace', () => {
  const { status, stderr } = app({ listenerCertificateArn: exampleListener, trustBundle: 'cdk.json' });
  expect(stderr).toContain("holdfast-prod/Server: the bundle 'cdk.json' has no certificate.");
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(status).toBe(2);
});

it('a stage deploys no worker until it names the module of one, which the image of deploy/image lacks', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  await initAuthority(dir, Date.now());
  const given = { listenerCertificateArn: exampleListener, trustBundleFile: join(dir, 'ca.crt') };
  const built = buildApp(given, { outdir: join(dir, 'out') });
  const template = Template.fromStack(built.node.findChild('holdfast-prod') as Stack);
  template.resourceCountIs('AWS::ECS::Service', 2);
  const commands = Object.values(template.findResources('AWS::ECS::TaskDefinition')).flatMap(
    ({ Properties }) => Properties.ContainerDefinitions as { Command: string[] }[],
  );
  expect(commands.map(({ Command }) => Command[0]).sort()).toEqual(['aws', 'canary', 'serve']);
  const names = Object.values(template.findResources('AWS::SSM::Parameter')).map(
    ({ Properties }) => Properties.Name,
  );
  expect(names.sort()).toEqual(['/holdfast/prod/services/api', '/holdfast/prod/services/canary']);
});
