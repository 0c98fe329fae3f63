/**
 * `npm run bench:ci` counts what does not depend on the machine: syncs, rows, statements, bytes, gRPC messages and allocations a
 * task, in this process and with fixed batches. It fails if a count has grown by more than 5 % (allocations: 10 %) beyond
 * `budget.json`. `--write` writes that file from the counts of this run. `--json` prints one object.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { type Budget, judge } from './budget.ts';
import { type Counts, countSdk, countService } from './measure.ts';
import { scenarios } from './scenarios.ts';
import { sdkScenarios } from './sdk-scenarios.ts';

const options = programOptions('bench:ci', { json: false, write: false });
const file = new URL('./budget.json', import.meta.url);

function print(name: string, counts: Counts): void {
  if (options.json) return;
  console.log(name);
  for (const [count, value] of Object.entries(counts)) console.log(`  ${count.padEnd(24)} ${value}`);
}

const counts: Record<string, Counts> = {};
for (const [all, count] of [
  [scenarios, countService],
  [sdkScenarios, countSdk],
] as const) {
  for (const scenario of all) {
    counts[scenario.name] = await count(scenario);
    print(scenario.name, counts[scenario.name] as Counts);
  }
}

if (options.write) {
  writeFileSync(file, `${JSON.stringify(counts, null, 2)}\n`);
  console.error(`bench:ci: wrote ${Object.keys(counts).length} scenarios to bench/ci/budget.json`);
  process.exit(0);
}
const { failures, notes } = judge(counts, JSON.parse(readFileSync(file, 'utf8')) as Budget);
if (options.json) console.log(JSON.stringify({ counts, failures, notes }));
for (const note of notes) console.error(`bench:ci: ${note}`);
for (const failure of failures) console.error(`bench:ci: ${failure}`);
console.error(`bench:ci: scenarios=${Object.keys(counts).length} overBudget=${failures.length}`);
process.exit(failures.length === 0 ? 0 : 1);
