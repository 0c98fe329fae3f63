/**
 * `npm run drill`: one cause of ten, drawn by the seed, is injected into a running site. An alert must fire, and an
 * investigator that knows nothing of the cause must name it. `--all-causes` runs all ten, `--no-fault` runs none, `--cause NAME` runs
 * one; `--record FOLDER` writes the answers for the specs. The exit status is 0 if every cause was named.
 */
import { seededRandom } from '../../../src/testing/random.ts';
import { programOptions } from '../../fixtures/program-options.ts';
import { factor } from '../alerts/alerting.ts';
import { ensureInstalled } from '../alerts/programs.ts';
import { type Cause, causes, type Named } from './causes.ts';
import { record } from './record.ts';
import { type Drill, runDrill } from './run.ts';

const options = programOptions('drill', {
  seed: Number.NaN,
  cause: '',
  allCauses: false,
  noFault: false,
  json: false,
  record: '',
});
const { allCauses, noFault, json } = options;
const seed = Number.isNaN(options.seed) ? Date.now() % 1_000_000 : options.seed;

const advice = ensureInstalled(['prometheus', 'prometheus-alertmanager']);
if (advice !== undefined) {
  console.error(advice);
  process.exit(1);
}

const say = (line: string): void => {
  if (!json) console.log(`  ${line}`);
};

/** One drill: the cause that was injected, and what was named. */
interface Row {
  readonly cause: Cause | 'none';
  readonly drill: Drill | undefined;
  readonly named: Named;
  readonly isRight: boolean;
}

async function drilled(cause: Cause | undefined): Promise<Row> {
  const drill = await runDrill(cause, say).catch((thrown: Error) => {
    console.error(`  ${thrown.message}`);
    return undefined;
  });
  const named = drill?.named ?? 'unknown';
  if (options.record !== '' && drill !== undefined)
    record(options.record, cause ?? 'none', drill.body, factor, drill.steps);
  if (drill?.error !== undefined) say(drill.error);
  say(`the investigator names: ${named}`);
  const isQuiet = drill !== undefined && drill.alert === undefined;
  const isRight =
    cause === undefined ? isQuiet && (named === 'none' || named === 'unknown') : named === cause;
  return { cause: cause ?? 'none', drill, named, isRight };
}

function rowText({ cause, drill, named, isRight }: Row): string {
  const { alert = '–', firedMs = 0, seconds = 0, steps = [] } = drill ?? {};
  const times = `${(firedMs / 1_000).toFixed(1).padStart(6)} ${seconds.toFixed(1).padStart(8)}`;
  const words = [isRight ? '✓' : '✗', cause.padEnd(20), alert.padEnd(18), named.padEnd(20), times];
  return `${words.join(' ')} ${String(steps.length).padStart(6)}`;
}

function rowJson({ cause, drill, named }: Row): object {
  const { alert, firedMs = 0, seconds = 0, steps = [] } = drill ?? {};
  return { cause, alert, named, firedSeconds: firedMs / 1_000, seconds, steps: steps.length };
}

function chosen(): readonly (Cause | undefined)[] {
  if (noFault) return [undefined];
  if (allCauses) return causes;
  const given = causes.find((cause) => cause === options.cause);
  if (options.cause !== '' && given === undefined) {
    console.error(`--cause is one of ${causes.join(', ')}`);
    process.exit(2);
  }
  return [given ?? causes[Math.floor(seededRandom(seed)() * causes.length)]];
}

const rows: Row[] = [];
const chosenCauses = chosen();
for (const [i, cause] of chosenCauses.entries()) {
  say(`drill ${i + 1} of ${chosenCauses.length}`);
  rows.push(await drilled(cause));
}
const named = rows.filter(({ isRight }) => isRight).length;
if (json) for (const row of rows) console.log(JSON.stringify(rowJson(row)));
else {
  console.log(`  ${'cause'.padEnd(20)} ${'alert'.padEnd(18)} ${'named'.padEnd(20)} fired s  whole s  steps`);
  for (const row of rows) console.log(rowText(row));
  if (!allCauses && !noFault && options.cause === '') console.log(`seed ${seed}`);
}
console.log(`drill: causes=${rows.length} named=${named}`);
process.exit(named === rows.length ? 0 : 1);
