/**
 * The targets of the rows beside the commit 7cfa48c, the last one before submissions went over a stream. A ratio above 1 means that
 * this tree is better: it is the inverse for times, memory and costs.
 */
import type { Row } from './report.ts';

const ratios: Readonly<Record<string, number>> = {
  'submit singly, 64 callers/ordered': 1.45,
  'submit singly, 64 callers/random': 1.45,
  'submit in bulk, 1 caller/ordered': 1.5,
  'submit in bulk, 4 callers/ordered': 1.7,
  'process a filled queue/': 1.4,
  'both, singly, 20,000 tasks/ordered': 1 / 0.65,
  'both, bulk, 20,000 tasks/ordered': 1 / 0.68,
  'idle submit→start p50/': 1 / 0.6,
  'idle submit→start p99/': 1 / 0.6,
  'submit singly, 64 callers/ordered/  server CPU a task': 1 / 0.72,
  'process a filled queue//  server CPU a task': 1 / 0.65,
};

/** The rows that must stay below a value, whatever the other commit has: in MB and s. */
const mostOf: Readonly<Record<string, number>> = {
  'memory with 1000000 waiting/': 280,
  'start after SIGKILL with 1000000 waiting/': 0.6,
};

/**
 * Returns the ratio that a row should reach beside the other commit's value, or undefined if it has no target. `parent` is the name
 * and the keys of the row above an indented one.
 */
export function targetOf(
  { row, keys }: Pick<Row, 'row' | 'keys'>,
  parent: string,
  base: number,
): number | undefined {
  const name = row.startsWith(' ') ? `${parent}/${row}` : `${row}/${keys}`;
  const most = mostOf[name];
  return most === undefined ? ratios[name] : base / most;
}
