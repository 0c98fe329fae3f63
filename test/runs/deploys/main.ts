/**
 * `npm run deploys`: both engines under load while the servers are restarted by SIGTERM and by SIGKILL, the workers are
 * rolled, one task of many ends its process, a queue is paused and tasks are cancelled. The run is judged from the
 * histories of the tasks and the ledgers of the workers. The exit status is 0 if all columns are 0 and no orderly
 * restart kept all handlers from beginning for longer than 3 s.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import type { EngineName } from './deployment.ts';
import { type Counts, type Report, reportOf } from './report.ts';
import { runDeploys } from './run.ts';

const engineNames: readonly EngineName[] = ['sqlite', 'aws'];
const values = programOptions('deploys', {
  /** The engine to run; without it both are run. */
  engine: '',
  restarts: 10,
  rolls: 2,
  /** The number of tasks of which one is the poison. */
  tasks: 2_000,
  cancels: 300,
  seed: 1,
  /** The time in seconds after which the run on one engine waits no longer for the poison. */
  limit: 250,
});
/** The time beyond the limit after which a run that hangs is given up; it covers the drain and the reading. */
const overtimeS = 120;
const engines = engineNames.filter((name) => values.engine === '' || values.engine === name);
if (engines.length === 0) {
  console.error(`'--engine' takes one of ${engineNames.join(', ')}, not '${values.engine}'`);
  process.exit(2);
}

async function run(engine: EngineName): Promise<Report> {
  console.log(`${engine}:`);
  const { restarts, rolls, tasks, cancels, seed, limit } = values;
  const progress = (line: string): void => console.log(`  ${line}`);
  const watchdog = setTimeout(
    () => {
      console.error(`the run did not end within ${limit + overtimeS} s`);
      // All processes of the run end with this one.
      process.exit(1);
    },
    (limit + overtimeS) * 1_000,
  );
  const options = { engine, restarts, rolls, tasks, cancels, seed, limitMs: limit * 1_000, progress };
  const report = reportOf(await runDeploys(options));
  clearTimeout(watchdog);
  for (const line of report.lines) console.log(`  ${line}`);
  return report;
}

const reports: Report[] = [];
for (const engine of engines) reports.push(await run(engine));
const sum = (key: keyof Counts): number => reports.reduce((total, { counts }) => total + counts[key], 0);
const tasks = reports.reduce((total, report) => total + report.tasks, 0);
const longestGapMs = Math.max(...reports.map((report) => report.longestGapMs));
console.log(
  `deploys: engines=${engines.length} tasks=${tasks} lost=${sum('lost')} innocentsDead=${sum('innocentsDead')} ` +
    `attemptsNotBegun=${sum('attemptsNotBegun')} leasesLost=${sum('leasesLost')} ` +
    `begunAfterRecall=${sum('begunAfterRecall')} longestGapMs=${longestGapMs}`,
);
process.exit(reports.every(({ isGood }) => isGood) ? 0 : 1);
