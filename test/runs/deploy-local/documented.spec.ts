/** Compares the resources that `npm run cdk:deploy-local` leaves out with those of docs/deployment.md. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { knownParts, unknownTypes } from '../../stand-ins/cdk-stacks.ts';
import { removedTypes, synthesizeStages } from './stages.ts';

const page = readFileSync(new URL('../../../docs/deployment.md', import.meta.url), 'utf8');

it('docs/deployment.md lists each type of resource that is not deployed to the stand-in, and no other', () => {
  const part = page.slice(page.indexOf('| not deployed | since |'));
  const listed = part.slice(0, part.indexOf('\n\n')).matchAll(/AWS::\w+::\w+/g);
  expect([...listed].map(([type]) => type).sort()).toEqual([...unknownTypes].sort());
});

it('a template loses its unknown resources alone, and what refers to them gets their ids', () => {
  const { Resources } = knownParts({
    Resources: {
      Trust: { Type: 'AWS::ElasticLoadBalancingV2::TrustStore' },
      Listener: {
        Type: 'AWS::ElasticLoadBalancingV2::Listener',
        Properties: { TrustStoreArn: { Ref: 'Trust' } },
        DependsOn: ['Trust', 'Role'],
      },
      Role: { Type: 'AWS::IAM::Role' },
      Plain: { Type: 'AWS::CloudWatch::Alarm', Properties: { MetricName: 'Unserved' } },
      Ratio: { Type: 'AWS::CloudWatch::Alarm', Properties: { Metrics: [] } },
    },
  });
  expect(Object.keys(Resources)).toEqual(['Listener', 'Role', 'Plain']);
  expect(Resources.Listener).toMatchObject({ Properties: { TrustStoreArn: 'Trust' }, DependsOn: ['Role'] });
});

it('dev and prod have each type that is left out, and these have the properties that no other spec compares', async () => {
  const stages = await synthesizeStages('webhooks', 'eu-central-1');
  const removed = new Set(stages.flatMap((stage) => [...removedTypes(stage).keys()]));
  expect([...removed].sort()).toEqual([...unknownTypes].sort());
  for (const { app } of stages) {
    // biome-ignore lint/suspicious/noExplicitAny: the properties of resources are JSON of many shapes.
    const all = (type: string): Record<string, any>[] =>
      Object.values(app.Resources).flatMap(({ Type, Properties = {} }) =>
        Type === type ? [Properties] : [],
      );
    const [providers, ...others] = all('AWS::ECS::ClusterCapacityProviderAssociations');
    expect(others).toEqual([]);
    expect(providers?.CapacityProviders).toEqual(['FARGATE', 'FARGATE_SPOT']);
    // Security groups let nothing out by themselves: each way into one is also a way out of the other.
    const pair = (from: unknown, to: unknown, port: unknown): string => JSON.stringify([from, to, port]);
    const waysIn = all('AWS::EC2::SecurityGroupIngress').map((one) =>
      pair(one.SourceSecurityGroupId, one.GroupId, one.FromPort),
    );
    const waysOut = all('AWS::EC2::SecurityGroupEgress').map((one) =>
      pair(one.GroupId, one.DestinationSecurityGroupId, one.FromPort),
    );
    expect(waysOut.sort()).toEqual(waysIn.sort());
  }
});
