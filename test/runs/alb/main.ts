/**
 * `npm run alb`: workers and submitters call two servers on one table through a load balancer, which ends their TLS and
 * passes on their certificates. It deregisters and cuts the servers that are deployed, cuts idle connections, resets calls,
 * sends GOAWAY and cuts connections. The exit status is 0 if no lease and no task is lost.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { judgeAlb } from './judge.ts';
import { runAlb } from './run.ts';

const { deploys, seed, limit } = programOptions('alb', {
  /** The number of deploys of each of the two servers. */
  deploys: 2,
  seed: 1,
  /** The time in seconds after which a run that hangs is given up. */
  limit: 240,
});
const named = 6;

const watchdog = setTimeout(() => {
  console.error(`the run did not end within ${limit} s`);
  // All processes of the run end with this one.
  process.exit(1);
}, limit * 1_000);
const outcome = await runAlb({ deploys, seed, progress: (line) => console.log(`  ${line}`) });
clearTimeout(watchdog);

const { leasesLost, lost, others, unknown } = judgeAlb(outcome, outcome.stopsAtMs);
const { cuts, allCuts, calls, acknowledged, problems, phases } = outcome;
const kinds = Object.entries(cuts).map(([kind, count]) => `${kind} ${count}`);
console.log(`  cuts: ${kinds.join(', ')}`);
console.log(`  ${acknowledged.length} tasks acknowledged, ${calls.length} handlers called`);
console.log(
  `  ${unknown.length} tasks that may begin once were left to their leases: a cut and a stop lost their assignments`,
);
const phaseAt = (ms: number): string => phases.findLast(({ fromMs }) => fromMs <= ms)?.name ?? '';
for (const [title, faults] of Object.entries({ 'lease lost': leasesLost, lost, fault: others })) {
  for (const { id, text, atMs } of faults.slice(0, named))
    console.log(`  ${title}: ${id} ${text} (${phaseAt(atMs)})`);
}
for (const problem of problems) console.log(`  problem: ${problem}`);
console.log(`alb: cuts=${allCuts} leasesLost=${leasesLost.length} lost=${lost.length}`);
const isClean = [leasesLost, lost, others, problems].every(({ length }) => length === 0);
process.exit(isClean && allCuts > 0 && acknowledged.length > 0 ? 0 : 1);
