import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import type { Transport } from '../../client/transport.ts';
import { AdminService, OnDead, type Queue } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { withServer } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { addRedispatch } from './redispatch.ts';

const { pauseQueue, resumeQueue, updateQueue } = AdminService.method;
const tenantHelp = 'the tenant; default: your own';
const onDeadWords = { release: OnDead.RELEASE, hold: OnDead.HOLD } as const;
type OnDeadWord = keyof typeof onDeadWords;
const onDeadOption = () =>
  new Option(
    '--on-dead <setting>',
    'what follows when a task of a lane dies: release runs the next one, hold waits for a redrive or a cancel',
  ).choices(['release', 'hold'] as const);

/** Sends one change of a queue to the server and prints the queue after it. */
async function change(
  globals: Globals,
  call: (transport: Transport) => Promise<{ readonly queue?: Queue | undefined }>,
): Promise<void> {
  const { url, output } = globals();
  await withServer({ url }, async (transport) => {
    const { queue } = await call(transport);
    if (queue === undefined) return;
    const { tenant, name, paused } = queue;
    const onDead = queue.onDead === OnDead.HOLD ? 'hold' : 'release';
    output.result({ tenant, queue: name, paused, onDead }, () => {
      return `${name}: ${paused ? 'paused' : 'not paused'}, on dead ${onDead}`;
    });
  });
}

export function addQueues(program: Command, globals: Globals): void {
  const queues = program.command('queues').description('create, pause, resume and change queues');
  queues
    .command('create')
    .argument('<name>', 'the queue')
    .description('create a queue before its first submission; on AWS, `holdfast aws init` does it')
    .addOption(onDeadOption())
    .option('--paused', 'give none of its tasks to workers until it is resumed')
    .option('--tenant <name>', tenantHelp, '')
    .action(async (name, { tenant, paused, onDead }) => {
      await change(globals, async (transport) => {
        const request = { tenant, name, create: true };
        // The queue is paused first, so that no worker gets a task of it in between.
        if (paused) await transport.call(pauseQueue, request, {});
        return transport.call(updateQueue, { ...request, onDead: numberOf(onDead) }, {});
      });
    });
  queues
    .command('update')
    .argument('<name>', 'the queue')
    .description('change a queue; --on-dead release also frees the lanes that dead tasks hold now')
    .addOption(onDeadOption().makeOptionMandatory())
    .option('--tenant <name>', tenantHelp, '')
    .action(async (name, { tenant, onDead }) => {
      const request = { tenant, name, onDead: numberOf(onDead) };
      await change(globals, (transport) => transport.call(updateQueue, request, {}));
    });
  addRedispatch(queues, globals);
  const switches = [
    ['pause', pauseQueue, 'give no more tasks of a queue to workers; running tasks go on'],
    ['resume', resumeQueue, 'give the tasks of a paused queue to workers again'],
  ] as const;
  for (const [verb, method, description] of switches) {
    queues
      .command(verb)
      .argument('<name>', 'the queue')
      .description(description)
      .option('--tenant <name>', tenantHelp, '')
      .action(async (name, { tenant }) => {
        await change(globals, (transport) => transport.call(method, { tenant, name }, {}));
      });
  }
}

function numberOf(onDead: OnDeadWord | undefined): OnDead {
  return onDead === undefined ? OnDead.UNSPECIFIED : onDeadWords[onDead];
}
