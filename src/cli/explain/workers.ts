import type { Command } from '@commander-js/extra-typings';
import { AdminService, type Worker } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { withServer } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { table, time } from '../output.ts';

/** The most types of a worker that a row names. */
const shownTypes = 4;

function typesText({ types, maxVersions }: Worker): string {
  const named = types.slice(0, shownTypes).map((type, i) => `${type}@${maxVersions[i] ?? 1}`);
  const others = types.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} more`] : [])].join(', ');
}

function workersText(workers: readonly Worker[]): string {
  const rows = workers.map((worker) => {
    const { name, id, queues, inFlight, reserved, node, connectedAtMs, unlistedCount, polls } = worker;
    const isNamed = unlistedCount === 0;
    return [
      isNamed ? `${name}/${id}` : `${unlistedCount} more`,
      queues.join(', '),
      typesText(worker),
      isNamed ? `${inFlight}` : '–',
      isNamed ? `${reserved}` : '–',
      polls ? 'polls' : 'stream',
      time(connectedAtMs),
      node,
    ];
  });
  return table(['WORKER', 'QUEUES', 'TYPES', 'HOLDS', 'RESERVED', 'BY', 'SINCE', 'NODE'], rows);
}

function workerJson(worker: Worker): Record<string, unknown> {
  const { name, id, queues, types, maxVersions, inFlight, reserved, polls, connectedAtMs, node } = worker;
  const { unlistedCount } = worker;
  return {
    name: name || undefined,
    id: id || undefined,
    queues,
    types: types.map((type, i) => ({ type, maxVersion: maxVersions[i] ?? 1 })),
    inFlight,
    reserved,
    polls,
    connectedAtMs: connectedAtMs || undefined,
    node,
    unlistedCount: unlistedCount || undefined,
  };
}

export function addWorkers(program: Command, globals: Globals): void {
  program
    .command('workers')
    .description('list the workers: their queues, types and versions, and how many tasks they hold')
    .option('--queue <name>', 'only workers of this queue')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async ({ queue = '', tenant }) => {
      const { url, output } = globals();
      await withServer({ url }, async (transport) => {
        const listing = transport.call(AdminService.method.listWorkers, { tenant, queue }, {});
        const { workers, incomplete } = await listing;
        const json = { workers: workers.map(workerJson), isComplete: !incomplete };
        const of = queue === '' ? '' : ` of queue '${queue}'`;
        output.result(json, () => (workers.length === 0 ? `No worker${of} is known.` : workersText(workers)));
        if (incomplete) output.note('There may be further workers, which are neither listed nor counted.');
      });
    });
}
