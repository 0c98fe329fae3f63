import { parseArgs } from 'node:util';
import { runSeed, type SeedRun } from './run-seed.ts';
import { Violation } from './violation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    mutants: { type: 'boolean', default: false },
  },
});

function explain({ seed, failure }: SeedRun): void {
  const why = failure instanceof Violation ? failure.message : failure;
  console.log(`npm run sim -- --seed ${seed}`);
  console.log(why);
}

async function simulate(first: number, count: number): Promise<void> {
  const faults = new Map<string, number>();
  let steps = 0;
  let violations = 0;
  for (let seed = first; seed < first + count; seed++) {
    const run = await runSeed(seed);
    steps += run.steps;
    for (const [kind, times] of run.faults) faults.set(kind, (faults.get(kind) ?? 0) + times);
    if (run.failure === undefined) continue;
    violations++;
    explain(run);
  }
  for (const [kind, times] of [...faults].sort()) console.log(`${times.toString().padStart(8)}  ${kind}`);
  console.log(`sim: seeds=${count} steps=${steps} violations=${violations}`);
  if (violations > 0) process.exitCode = 1;
}

if (values.seed === undefined) await simulate(1, Number(values.seeds));
else await simulate(Number(values.seed), 1);
