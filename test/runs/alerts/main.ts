/**
 * `npm run alerts`: promtool judges every alert by series that make it fire, that do not, that end it, and by no series
 * at all. Then a live drill stops a real server, and FastBudgetBurn must reach a webhook and resolve. The exit status is
 * 0 if every case and the drill are as they should be.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { factor } from './alerting.ts';
import { alertCases } from './cases.ts';
import { runDrill, seconds } from './drill.ts';
import { ensureInstalled } from './programs.ts';
import { runCase } from './promtool.ts';

programOptions('alerts', {});
/** The time after which a run that hangs is given up. Its programs end with it. */
const limitMs = 180_000;
setTimeout(() => {
  console.error(`the run did not end within ${limitMs / 1_000} s`);
  process.exit(1);
}, limitMs).unref();

const advice = ensureInstalled(['promtool', 'prometheus', 'prometheus-alertmanager']);
if (advice !== undefined) {
  console.error(advice);
  process.exit(1);
}

let failed = 0;
for (const one of alertCases) {
  const { failure } = runCase(one);
  console.log(`${failure === undefined ? '✓' : '✗'} ${one.alert}: ${one.title}`);
  if (failure === undefined) continue;
  failed++;
  console.log(failure.replaceAll(/^/gm, '    '));
}
console.log(`promtool: cases=${alertCases.length} failed=${failed}`);

console.log(`\nlive drill, all lengths of the rules divided by ${factor}:`);
let isResolved = false;
let areQueriesGood = false;
let isFired = false;
try {
  const times = await runDrill((line) => {
    isFired ||= line.includes('"firing"');
    console.log(`  ${line}`);
  });
  isResolved = true;
  console.log(`\n${times.standing}\n`);
  const { count, errors } = times.queries;
  areQueriesGood = count > 0 && errors.length === 0;
  for (const error of errors) console.log(`✗ ${error}`);
  console.log(`PromQL of the runbooks, evaluated by Prometheus: queries=${count} failed=${errors.length}`);
  console.log(
    `outage ${seconds(times.outageMs)}, fired after ${seconds(times.firedMs)}, resolved ${seconds(times.resolvedMs)} after the return`,
  );
} catch (thrown) {
  console.error(`  ${(thrown as Error).message}`);
}
const word = (isTrue: boolean): string => (isTrue ? 'yes' : 'no');
console.log(`alerts: fired=${word(isFired)} resolved=${word(isResolved)}`);
process.exit(failed === 0 && areQueriesGood && isFired && isResolved ? 0 : 1);
