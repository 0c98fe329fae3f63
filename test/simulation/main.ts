import { programOptions } from '../fixtures/program-options.ts';
import { Violation } from './checks/violation.ts';
import { hunt } from './mutants/hunt.ts';
import { mutants } from './mutants/mutants.ts';
import { mutate } from './mutants/mutate.ts';
import type { SeedRun } from './run-seed.ts';

const values = programOptions('sim', { seeds: Number.NaN, seed: Number.NaN, mutants: false, mutant: '' });

async function worlds(
  first: number,
  count: number,
  look: (run: SeedRun) => boolean,
  blindTo: readonly string[] = [],
): Promise<void> {
  // Loaded late, so that a mutant's edits come before it.
  const { runSeed } = await import('./run-seed.ts');
  for (let seed = first; seed < first + count; seed++) if (!look(await runSeed(seed, blindTo))) return;
}

function explain({ seed, failure }: SeedRun): void {
  console.log(`npm run sim -- --seed ${seed}`);
  console.log(failure instanceof Violation ? failure.message : failure);
}

function add(to: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [what, times] of more) to.set(what, (to.get(what) ?? 0) + times);
}

function print(title: string, counted: ReadonlyMap<string, number>): void {
  console.log(`${title}:`);
  for (const [what, times] of [...counted].sort()) console.log(`${times.toString().padStart(8)}  ${what}`);
}

async function simulate(first: number, count: number): Promise<void> {
  const faults = new Map<string, number>();
  const events = new Map<string, number>();
  let steps = 0;
  let violations = 0;
  await worlds(first, count, (run) => {
    steps += run.steps;
    add(faults, run.faults);
    add(events, run.events);
    if (run.failure !== undefined) {
      violations++;
      explain(run);
    }
    return true;
  });
  print('what happened', events);
  print('faults', faults);
  console.log(`sim: seeds=${count} steps=${steps} violations=${violations}`);
  if (violations > 0) process.exitCode = 1;
}

/** One mutant until the first seed that notices it. */
async function expose(name: string, first: number, count: number): Promise<void> {
  const mutant = mutants.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`There is no mutant '${name}'.`);
  mutate(mutant);
  const look = ({ seed, failure }: SeedRun): boolean => {
    if (!(failure instanceof Violation)) return true;
    console.log(`npm run sim -- --mutant ${name} --seed ${seed}`);
    console.log(failure.message);
    console.log(`caught: seed=${seed} invariant=${failure.invariant}`);
    return false;
  };
  await worlds(first, count, look, mutant.restatedBy);
}

const given = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);
const first = given(values.seed) ?? 1;
const ask = given(values.seeds) ?? (given(values.seed) === undefined ? undefined : 1);
if (values.mutants) process.exitCode = hunt(ask ?? 2_000) ? 0 : 1;
else if (values.mutant !== '') await expose(values.mutant, first, ask ?? 2_000);
else await simulate(first, ask ?? 100);
