/** Shows the switch to a restored table: docs/runbooks/restore.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, it, onTestFinished } from 'vitest';
import { AppStack, DataStack } from '../../deploy/cdk/stacks.ts';
import { type StageSettings, stages } from '../../deploy/cdk/stages.ts';
import { exampleListener } from '../../deploy/cdk/synth.ts';
import { initAuthority } from '../../src/certs/authority.ts';

it('with restoredTable the processes use that table and the queues as before, and the former table stays in its stack', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  await initAuthority(dir, Date.now());
  const given = { listenerCertificateArn: exampleListener, trustBundleFile: join(dir, 'ca.crt') };
  const stage: StageSettings = {
    ...(stages.find(({ name }) => name === 'prod') as StageSettings),
    ...{ restoredTable: 'holdfast-prod-2', workerModule: 'worker.js' },
  };
  const app = new App({ outdir: join(dir, 'out') });
  const env = { region: 'eu-central-1' };
  const data = new DataStack(app, 'data', stage, { env });
  const template = Template.fromStack(new AppStack(app, 'app', { stage, data, given }, { env }));
  const commands = Object.values(template.findResources('AWS::ECS::TaskDefinition')).flatMap(
    ({ Properties }) =>
      (Properties.ContainerDefinitions as { Command: unknown[] }[]).map(({ Command }) => Command.join(' ')),
  );
  const onTable = commands.filter((command) => command.includes('--table'));
  expect(onTable.length).toBeGreaterThan(2);
  for (const command of onTable)
    expect(command).toContain('--table holdfast-prod-2 --queue-prefix holdfast-prod ');
  const policies = JSON.stringify(template.findResources('AWS::IAM::Policy'));
  expect(policies).toContain('table/holdfast-prod-2');
  expect(policies).not.toContain('table/holdfast-prod"');
  const metrics = JSON.stringify(template.findResources('AWS::CloudWatch::Alarm'));
  expect(metrics).toContain('"Holdfast/holdfast-prod"');
  expect(metrics).not.toContain('Holdfast/holdfast-prod-2');
  Template.fromStack(data).hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    TableName: 'holdfast-prod',
  });
});
