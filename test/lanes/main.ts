/**
 * `npm run lanes`: 200 lanes of 50 tasks from three submitters through two API nodes, worked on by four workers, two of
 * which poll SQS themselves; attempts fail, tasks are cancelled, a node and a worker are killed. Once without and once
 * beside a lane of 20,000 that wait. Judged from the histories and the workers' ledgers.
 */
import { parseArgs } from 'node:util';
import { type Report, reportOf, tellReport } from './report.ts';
import { type RunOptions, runLanes } from './run.ts';

const { values } = parseArgs({
  options: {
    lanes: { type: 'string', default: '200' },
    tasks: { type: 'string', default: '50' },
    long: { type: 'string', default: '20000' },
    /** The most submissions a second. */
    rate: { type: 'string', default: '150' },
    /** Of one lane, on average, unfinished at once. */
    window: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    /** Of each of the two runs. */
    limit: { type: 'string', default: '260' },
  },
});
const options: Omit<RunOptions, 'longTasks'> = {
  lanes: Number(values.lanes),
  tasksPerLane: Number(values.tasks),
  perSecond: Number(values.rate),
  window: Number(values.window) * Number(values.lanes),
  seed: Number(values.seed),
  speed: 1,
  limitMs: Number(values.limit) * 1_000,
  progress: (line) => console.log(`  ${line}`),
};

async function run(title: string, longTasks: number): Promise<Report> {
  console.log(`${title}:`);
  const report = reportOf(await runLanes({ ...options, longTasks }));
  tellReport(report);
  return report;
}

const alone = await run('without the long lane', 0);
const beside = await run(`beside a lane of ${values.long}`, Number(values.long));
console.log(
  `p99 start latency in the other lanes: ${alone.p99Ms} ms alone, ${beside.p99Ms} ms beside the long lane`,
);
const sum = (of: (report: Report) => number): number => of(alone) + of(beside);
const [outOfOrder, overlapping, left] = [
  sum((one) => one.outOfOrder),
  sum((one) => one.overlapping),
  sum((one) => one.left),
];
if (left > 0) console.log(`${left} tasks are left`);
console.log(
  `lanes: lanes=${beside.lanes} tasks=${beside.tasks} outOfOrder=${outOfOrder} overlapping=${overlapping}`,
);
const whole = beside.tasks === options.lanes * options.tasksPerLane;
process.exit(outOfOrder === 0 && overlapping === 0 && left === 0 && whole ? 0 : 1);
