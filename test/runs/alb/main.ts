/**
 * `npm run alb`: workers and submitters call two servers on one table through a load balancer, which ends their TLS and
 * passes on their certificates. It deregisters and cuts the servers that are deployed, cuts idle connections, resets calls,
 * sends GOAWAY and cuts connections. The exit status is 0 if no lease and no task is lost.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { type Fault, judge } from '../deploys/judge.ts';
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

const { leasesLost, lost, innocentsDead, attemptsNotBegun, begunTwice } = judge(outcome);
const { cuts, allCuts, calls, acknowledged, problems } = outcome;
console.log(
  `  cuts: ${Object.entries(cuts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')}`,
);
console.log(`  ${acknowledged.length} tasks acknowledged, ${calls.length} handlers called`);
const print = (title: string, faults: readonly Fault[]): void => {
  for (const { id, text } of faults.slice(0, named)) console.log(`  ${title}: ${id} ${text}`);
};
print('lease lost', leasesLost);
print('lost', lost);
print('dead', innocentsDead);
print('attempt not begun', attemptsNotBegun);
print('begun twice', begunTwice);
for (const problem of problems) console.log(`  problem: ${problem}`);
console.log(`alb: cuts=${allCuts} leasesLost=${leasesLost.length} lost=${lost.length}`);
const faults = [leasesLost, lost, innocentsDead, attemptsNotBegun, begunTwice, problems];
const isGood = faults.every(({ length }) => length === 0) && allCuts > 0 && acknowledged.length > 0;
process.exit(isGood ? 0 : 1);
