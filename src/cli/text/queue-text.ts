import type { QueueStatus } from '../../client/admin/queues.ts';
import { table, time } from '../output.ts';

/** Says in one phrase whether a queue is paused, by whom, why and until when. */
export function pauseText({ paused, pause }: QueueStatus): string {
  if (!paused) return 'not paused';
  if (pause === undefined) return 'paused';
  const { since, actor, reason, until } = pause;
  const why = reason === undefined ? '' : ` (${reason})`;
  const end = until === undefined ? '' : ` until ${time(until.getTime())}`;
  return `paused${end} since ${time(since.getTime())} by ${actor}${why}`;
}

/** Formats a queue as the verbs that change one print it. */
export function queueLine(queue: QueueStatus): string {
  return `${queue.name}: ${pauseText(queue)}, on dead ${queue.onDead}`;
}

const states = ['scheduled', 'ready', 'reserved', 'running', 'dead'] as const;

/** Formats queues as a table. A number that is a lower bound has a plus sign. */
export function queuesText(queues: readonly QueueStatus[]): string {
  const rows = queues.map((queue) => {
    const { name, workers, counts, onDead } = queue;
    const numbers = states.map((state) => `${counts[state]}${counts.atLeast ? '+' : ''}`);
    return [name, ...numbers, `${workers}`, onDead, pauseText(queue)];
  });
  return table(
    ['QUEUE', ...states.map((state) => state.toUpperCase()), 'WORKERS', 'ON DEAD', 'DELIVERY'],
    rows,
  );
}
