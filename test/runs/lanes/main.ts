/**
 * `npm run lanes`: 200 lanes of 50 tasks from three submitters through two API nodes, worked on by four workers, two of
 * which poll SQS themselves. A tenth of the attempts fails, some tasks are cancelled, a node and a worker are killed,
 * and 20,000 more tasks wait in one long lane. The run is judged from the histories and the workers' ledgers. A smaller
 * run without the long lane comes first, to compare how soon tasks start.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { printReport, type Report, reportOf } from './report.ts';
import { type RunOptions, runLanes } from './run.ts';

const values = programOptions('lanes', {
  lanes: 200,
  tasks: 50,
  long: 20_000,
  /** The number of tasks of each lane in the run without the long lane. */
  alone: 10,
  /** The largest number of submissions per second. */
  rate: 50,
  /** The average number of unfinished tasks of a lane. */
  window: 4,
  seed: 1,
  /** The time limit for both runs in seconds. Tasks that have not ended by then count as left. */
  limit: 510,
});
const untilMs = performance.now() + values.limit * 1_000;
const options: Omit<RunOptions, 'longTasks' | 'tasksPerLane' | 'limitMs'> = {
  setup: { submitters: 3, workers: ['sqs', 'grpc', 'sqs', 'grpc'] },
  lanes: values.lanes,
  perSecond: values.rate,
  window: values.window * values.lanes,
  seed: values.seed,
  speed: 1,
  progress: (line) => console.log(`  ${line}`),
};

async function run(title: string, tasksPerLane: number, longTasks: number): Promise<Report> {
  console.log(`${title}:`);
  const limitMs = untilMs - performance.now();
  const report = reportOf(await runLanes({ ...options, tasksPerLane, longTasks, limitMs }));
  printReport(report);
  return report;
}

const alone = await run('without the long lane', values.alone, 0);
const beside = await run(`beside a lane of ${values.long}`, values.tasks, values.long);
console.log(
  `p99 start latency in the other lanes: ${alone.p99Ms} ms alone, ${beside.p99Ms} ms beside the long lane`,
);
const runs = [alone, beside];
const sum = (of: (report: Report) => number): number => runs.reduce((total, one) => total + of(one), 0);
const outOfOrder = sum((one) => one.outOfOrder);
const overlapping = sum((one) => one.overlapping);
const wanted = options.lanes * values.tasks;
const left = sum((one) => one.left) + wanted - beside.tasks;
if (left > 0) console.log(`left: ${left}`);
console.log(
  `lanes: lanes=${beside.lanes} tasks=${beside.tasks} outOfOrder=${outOfOrder} overlapping=${overlapping}`,
);
process.exit(outOfOrder === 0 && overlapping === 0 && left === 0 ? 0 : 1);
