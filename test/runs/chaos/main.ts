/**
 * `npm run chaos`: both engines under a steady load of real processes over mutual TLS, with clients of the SDK and in
 * Python, while servers and workers are killed, stand still for longer than a lease and are restarted, connections are cut,
 * slow and lose answers, certificates are replaced, clocks are stepped and the disk is full. The run is judged from
 * ledgers that the clients sync beside the store, and from the tasks as the API shows them.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { pythonClient } from '../python/client.ts';
import type { EngineName } from './deployment.ts';
import { type Report, reportOf } from './report.ts';
import { runChaos } from './run.ts';

const engineNames: readonly EngineName[] = ['sqlite', 'aws'];
const values = programOptions('chaos', {
  /** The seconds of load and faults on each engine. */
  seconds: 300,
  /** The engine to run; without it both are run. */
  engine: '',
  seed: 1,
  /** Tasks without an ordering key per second. */
  rate: 30,
});
/** The time beyond the load after which a run that hangs is given up; it covers the drain and the reading. */
const overtimeS = 480;
const engines = engineNames.filter((name) => values.engine === '' || values.engine === name);
if (engines.length === 0) {
  console.error(`'--engine' takes one of ${engineNames.join(', ')}, not '${values.engine}'`);
  process.exit(2);
}
const python = pythonClient();

async function run(engine: EngineName): Promise<Report> {
  const { seconds, seed, rate } = values;
  console.log(`${engine}, seed ${seed}:`);
  const limitS = seconds + overtimeS;
  const watchdog = setTimeout(() => {
    console.error(`the run did not end within ${limitS} s`);
    // All processes of the run end with this one.
    process.exit(1);
  }, limitS * 1_000);
  const print = (line: string): void => console.log(`  ${line}`);
  const perS = engine === 'aws' ? rate / 2 : rate;
  const report = reportOf(await runChaos({ engine, seed, seconds, perS, python, print }));
  clearTimeout(watchdog);
  for (const line of report.lines) print(line);
  return report;
}

const reports: Report[] = [];
for (const engine of engines) reports.push(await run(engine));
const sum = (key: keyof Report['counts']): number =>
  reports.reduce((all, { counts }) => all + counts[key], 0);
const acknowledged = reports.reduce((all, report) => all + report.acknowledged, 0);
console.log(
  `chaos: engines=${engines.length} acknowledged=${acknowledged} lost=${sum('lost')} doubled=${sum('doubled')} ` +
    `overwritten=${sum('overwritten')} outOfOrder=${sum('outOfOrder')} stuck=${sum('stuck')}`,
);
process.exit(reports.every(({ isGood }) => isGood) ? 0 : 1);
