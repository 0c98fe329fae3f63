import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import { createQueues, type QueueStatus, type Queues } from '../../../client/admin/queues.ts';
import { callsOf, withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import { timeAhead } from '../../text/durations.ts';
import { queueLine, queuesText } from '../../text/queue-text.ts';
import { sdkJson } from '../../text/sdk-json.ts';
import { addRedispatch } from './redispatch.ts';

const tenantOption = () => new Option('--tenant <name>', 'the tenant; default: your own').default('');
const onDeadOption = () =>
  new Option(
    '--on-dead <setting>',
    'what follows when a task of a lane dies: release runs the next one, hold waits for a redrive or a cancel',
  ).choices(['release', 'hold'] as const);

/** Makes one call for a queue and prints the queue as the server returned it. */
async function print(
  globals: Globals,
  tenant: string,
  call: (queues: Queues) => Promise<QueueStatus>,
  text: (queue: QueueStatus) => string = queueLine,
): Promise<void> {
  const { server, output } = globals();
  await withServer(server, async (transport) => {
    const queue = await call(createQueues(callsOf(transport), tenant));
    output.result(sdkJson(queue), () => text(queue));
  });
}

export function addQueues(program: Command, globals: Globals): void {
  const queues = program.command('queues').description('list, create, pause, resume and change queues');
  addReading(queues, globals);
  queues
    .command('create')
    .argument('<name>', 'the queue')
    .description('create a queue before its first submission; on AWS, `holdfast aws init` does it')
    .addOption(onDeadOption())
    .option('--paused', 'give none of its tasks to workers until it is resumed')
    .addOption(tenantOption())
    .action((name, { tenant, paused = false, onDead }) =>
      print(globals, tenant, (all) => all.create(name, { paused, onDead })),
    );
  queues
    .command('set')
    .alias('update')
    .argument('<name>', 'the queue')
    .description('change a queue; --on-dead release also frees the lanes that dead tasks hold now')
    .addOption(onDeadOption().makeOptionMandatory())
    .addOption(tenantOption())
    .action((name, { tenant, onDead }) => print(globals, tenant, (all) => all.set(name, { onDead })));
  addDelivery(queues, globals);
  addRedispatch(queues, globals);
}

function addReading(queues: Command, globals: Globals): void {
  queues
    .command('list')
    .description('list the queues with their settings and the numbers of their tasks')
    .addOption(tenantOption())
    .action(async ({ tenant }) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const all = createQueues(callsOf(transport), tenant);
        const listed = await all.list();
        output.result({ queues: sdkJson(listed) }, () =>
          listed.length === 0
            ? 'There is no queue yet: the first submission creates one, or `holdfast queues create <name>`.'
            : queuesText(listed),
        );
        if (listed.some(({ counts }) => counts.atLeast))
          output.note('A number with + is a lower bound: the newest tasks of the queue were counted.');
      });
    });
  queues
    .command('show')
    .argument('<name>', 'the queue')
    .description('show a queue: its settings, its pause, the numbers of its tasks and workers')
    .addOption(tenantOption())
    .action((name, { tenant }) =>
      print(
        globals,
        tenant,
        (all) => all.get(name),
        (queue) => queuesText([queue]),
      ),
    );
}

function addDelivery(queues: Command, globals: Globals): void {
  queues
    .command('pause')
    .argument('<name>', 'the queue')
    .description('give no more tasks of a queue to workers; running tasks go on')
    .option('--reason <text>', 'why, for those who find the queue paused')
    .option('--until <time>', 'resume it then: a time with its zone, or a length such as 2h', timeAhead)
    .addOption(tenantOption())
    .action((name, { tenant, reason, until }) =>
      print(globals, tenant, (all) => all.pause(name, { reason, until })),
    );
  queues
    .command('resume')
    .argument('<name>', 'the queue')
    .description('give the tasks of a paused queue to workers again')
    .addOption(tenantOption())
    .action((name, { tenant }) => print(globals, tenant, (all) => all.resume(name)));
}
