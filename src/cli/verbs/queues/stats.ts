import type { Command } from '@commander-js/extra-typings';
import { createQueues, type QueueStatus } from '../../../client/admin/queues.ts';
import { createWorkers } from '../../../client/admin/workers.ts';
import { callsOf, withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';

const states = ['scheduled', 'ready', 'reserved', 'running', 'dead'] as const;

/** The sums over some queues. A worker of two queues counts in each of them. */
interface Stats {
  readonly queues: number;
  readonly paused: number;
  readonly counts: Readonly<Record<(typeof states)[number], number>> & { readonly atLeast: boolean };
}

function statsOf(queues: readonly QueueStatus[]): Stats {
  const sum = (state: (typeof states)[number]): number =>
    queues.reduce((total, { counts }) => total + counts[state], 0);
  return {
    queues: queues.length,
    paused: queues.filter(({ paused }) => paused).length,
    counts: {
      ...{ scheduled: sum('scheduled'), ready: sum('ready'), reserved: sum('reserved') },
      ...{ running: sum('running'), dead: sum('dead') },
      atLeast: queues.some(({ counts }) => counts.atLeast),
    },
  };
}

function statsText({ queues, paused, counts }: Stats, workers: number): string {
  const bound = counts.atLeast ? ' or more' : '';
  const lines = states.map((state) => `${state.padEnd(10)} ${counts[state].toLocaleString('en')}${bound}`);
  const isPaused = paused === 0 ? '' : `, ${paused} paused`;
  return [...lines, `${'queues'.padEnd(10)} ${queues}${isPaused}`, `${'workers'.padEnd(10)} ${workers}`].join(
    '\n',
  );
}

export function addStats(program: Command, globals: Globals): void {
  program
    .command('stats')
    .description('count the tasks by state, the queues and the workers')
    .option('--queue <name>', 'only this queue')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async ({ queue, tenant }) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const all = createQueues(callsOf(transport), tenant);
        const queues = queue === undefined ? await all.list() : [await all.get(queue)];
        const { workers: listed } = await createWorkers(callsOf(transport), tenant).list({ queue });
        const workers = listed.reduce((total, { unlistedCount }) => total + (unlistedCount || 1), 0);
        const stats = statsOf(queues);
        output.result({ ...stats, workers }, () => statsText(stats, workers));
        if (stats.counts.ready > 0 || stats.counts.dead > 0)
          output.note(
            '`holdfast trouble` says why unfinished tasks wait; `holdfast list --state dead` lists the dead.',
          );
      });
    });
}
