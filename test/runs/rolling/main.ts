/**
 * `npm run rolling`: two versions of Holdfast on one store, under a steady load of submitters of both versions. Servers and
 * workers are replaced by those of the new version one after the other, back by the old ones, and forward again. The old
 * version is the newest release, else the commit before the first deployment; `--against REF` names another. The run is
 * judged from the ledgers of submitters and workers, as `npm run chaos` is, and no lease may be lost, as in `npm run deploys`.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import type { EngineName } from '../chaos/deployment.ts';
import { reportOf } from '../chaos/report.ts';
import { runRolling } from './run.ts';
import { hasCommit, previousRelease, previousVersion, thisVersion, type Version } from './versions.ts';

const engineNames: readonly EngineName[] = ['sqlite', 'aws'];
const values = programOptions('rolling', {
  /** The engine to run; without it both are run. */
  engine: '',
  /** The commit of the old version. */
  against: '',
  seed: 1,
  /** Tasks without an ordering key per second. */
  rate: 30,
  /** The time in seconds after which the run on one engine is given up. */
  limit: 600,
});
const engines = engineNames.filter((name) => values.engine === '' || values.engine === name);
if (engines.length === 0) {
  console.error(`'--engine' takes one of ${engineNames.join(', ')}, not '${values.engine}'`);
  process.exit(2);
}
const ref = values.against === '' ? previousRelease() : values.against;
if (!hasCommit(ref)) {
  console.error(`this clone has no commit '${ref}'; fetch the whole history: git fetch --unshallow --tags`);
  process.exit(2);
}
const old: Version = await previousVersion(ref);

interface Totals {
  readonly acknowledged: number;
  readonly lost: number;
  readonly leasesLost: number;
  readonly isGood: boolean;
}

async function run(engine: EngineName): Promise<Totals> {
  const { seed, rate, limit } = values;
  console.log(`${engine}, ${ref.slice(0, 12)} (old) and this tree (new), seed ${seed}:`);
  const watchdog = setTimeout(() => {
    console.error(`the run did not end within ${limit} s`);
    // All processes of the run end with this one.
    process.exit(1);
  }, limit * 1_000);
  const print = (line: string): void => console.log(`  ${line}`);
  const perS = engine === 'aws' ? rate / 2 : rate;
  const outcome = await runRolling({ engine, seed, perS, versions: { old, new: thisVersion }, print });
  clearTimeout(watchdog);
  const report = reportOf(outcome);
  for (const line of report.lines) print(line);
  const leasesLost = outcome.leasesLost.length;
  const { acknowledged, counts } = report;
  return {
    acknowledged,
    lost: counts.lost + counts.stuck,
    leasesLost,
    isGood: report.isGood && leasesLost === 0,
  };
}

const totals: Totals[] = [];
for (const engine of engines) totals.push(await run(engine));
const sum = (key: 'acknowledged' | 'lost' | 'leasesLost'): number =>
  totals.reduce((all, one) => all + one[key], 0);
console.log(
  `rolling: acknowledged=${sum('acknowledged')} lost=${sum('lost')} leasesLost=${sum('leasesLost')}`,
);
process.exit(totals.every(({ isGood }) => isGood) ? 0 : 1);
