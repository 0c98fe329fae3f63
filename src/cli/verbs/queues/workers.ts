import type { Command } from '@commander-js/extra-typings';
import { createWorkers, type WorkerInfo } from '../../../client/admin/workers.ts';
import { callsOf, withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import { table, time } from '../../output.ts';
import { sdkJson } from '../../text/sdk-json.ts';

/** The most types of a worker that a row names. */
const shownTypes = 4;

function typesText({ types, maxVersions }: WorkerInfo): string {
  const named = types.slice(0, shownTypes).map((type, i) => `${type}@${maxVersions[i] ?? 1}`);
  const others = types.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} more`] : [])].join(', ');
}

function workersText(workers: readonly WorkerInfo[]): string {
  const rows = workers.map((worker) => {
    const { name, id, queues, inFlight, reserved, node, connectedAt, unlistedCount, polls } = worker;
    const isNamed = unlistedCount === 0;
    return [
      isNamed ? `${name}/${id}` : `${unlistedCount} more`,
      queues.join(', '),
      typesText(worker),
      isNamed ? `${inFlight}` : '–',
      isNamed ? `${reserved}` : '–',
      polls ? 'polls' : 'stream',
      time(connectedAt?.getTime() ?? 0),
      node,
    ];
  });
  return table(['WORKER', 'QUEUES', 'TYPES', 'HOLDS', 'RESERVED', 'BY', 'SINCE', 'NODE'], rows);
}

export function addWorkers(program: Command, globals: Globals): void {
  program
    .command('workers')
    .description('see the workers')
    .command('list', { isDefault: true })
    .description('list the workers: their queues, types and versions, and how many tasks they hold')
    .option('--queue <name>', 'only workers of this queue')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async ({ queue, tenant }) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const all = createWorkers(callsOf(transport), tenant);
        const listed = await all.list({ queue });
        const { workers, incomplete } = listed;
        const of = queue === undefined ? '' : ` of queue '${queue}'`;
        output.result(sdkJson(listed), () =>
          workers.length === 0 ? `No worker${of} is known.` : workersText(workers),
        );
        if (incomplete) output.note('There may be further workers, which are neither listed nor counted.');
      });
    });
}
