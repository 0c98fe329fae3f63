import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { mutants } from './mutants.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const caughtBy = /^caught: seed=(\d+) invariant=(\w+)$/m;

/**
 * Runs the simulation with each mutant, in a process of its own, until an invariant detects the mutant. Returns true if
 * every mutant was detected.
 */
export function huntAll(seeds: number): boolean {
  let caught = 0;
  for (const { name } of mutants) {
    const args = [main, '--mutant', name, '--seeds', String(seeds)];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const found = caughtBy.exec(stdout);
    if (found !== null) caught++;
    const verdict = found === null ? `NOT caught ${stderr.trim()}` : `seed ${found[1]}, ${found[2]}`;
    console.log(`${name.padEnd(44)}${verdict}`);
  }
  console.log(`sim: mutants=${mutants.length} caught=${caught}`);
  return caught === mutants.length;
}
