import { loadAws } from '../../../node/open/aws.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Deployments } from '../port.ts';
import { loadClient, openClients, requestHandler } from './clients.ts';
import { calling } from './errors.ts';
import { Images } from './images.ts';
import { Parameters } from './parameters.ts';
import { Revisions } from './revisions.ts';
import { Rollouts } from './rollouts.ts';
import { serviceState, taskHealth, updateService } from './services.ts';

/** Opens the port on AWS. `named` is the region of the command line; undefined: the one that the SDK finds. */
export async function openDeployments(named: string | undefined, clock: Clock): Promise<Deployments> {
  const clients = await openClients(named);
  const { region } = clients;
  const parameters = new Parameters(clients);
  const revisions = new Revisions(clients);
  const rollouts = new Rollouts(clients, revisions);
  const images = new Images(clients, clock);
  return {
    region,
    services: (stage) => parameters.services(stage),
    state: (service) => serviceState(clients, service, revisions, rollouts),
    revisions: (_service, family) => revisions.newest(family),
    image: (service, tag) => images.get(service, tag),
    tag: ({ tagParameter }) => parameters.read(tagParameter),
    writeTag: ({ tagParameter }, tag) => parameters.write(tagParameter, tag),
    record: (service) => parameters.record(service),
    writeRecord: (service, record) => parameters.writeRecord(service, record),
    deleteRecord: (service) => parameters.deleteRecord(service),
    stopRollout: (arn) => rollouts.stop(arn),
    register: (revision) => revisions.register(revision),
    update: (service, revision) => updateService(clients, service, revision),
    tasks: (service) => taskHealth(clients, service),
    tableSchema: (table) => tableSchema(table, region, clock),
    firingAlarms: (prefix) => firingAlarms(prefix, region),
    close() {
      for (const client of [clients.ecs, clients.ecr, clients.ssm]) client.destroy();
    },
  };
}

async function tableSchema(table: string, region: string, clock: Clock): Promise<number> {
  const { openTable, readTableSchema } = await loadAws();
  const { registry, close } = openTable({ table, clock, client: { region } });
  try {
    return await readTableSchema(registry);
  } finally {
    await close();
  }
}

async function firingAlarms(prefix: string, region: string): Promise<readonly string[]> {
  const cloudwatchModule = await loadClient(
    () => import('@aws-sdk/client-cloudwatch'),
    ['@aws-sdk/client-cloudwatch'],
  );
  const client = new cloudwatchModule.CloudWatchClient({ region, requestHandler });
  try {
    const names: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await calling('CloudWatch', region, () =>
        client.send(
          new cloudwatchModule.DescribeAlarmsCommand({
            ...{
              AlarmNamePrefix: prefix,
              StateValue: 'ALARM',
              AlarmTypes: ['CompositeAlarm', 'MetricAlarm'],
            },
            ...(NextToken !== undefined && { NextToken }),
          }),
        ),
      );
      const alarms = [...(page.CompositeAlarms ?? []), ...(page.MetricAlarms ?? [])];
      names.push(...alarms.flatMap(({ AlarmName }) => AlarmName ?? []));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return names;
  } finally {
    client.destroy();
  }
}
