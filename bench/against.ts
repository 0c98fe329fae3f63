/**
 * `npm run bench -- --against REF` runs the benchmark of another commit and of this tree in alternation and compares
 * them. Two runs an hour apart differ by up to a fifth on a shared machine, so only alternating runs are comparable.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { compare, type Run, textOf, tolerance } from './compare.ts';
import type { Row } from './report.ts';

export const fewestRounds = 3;

const running = new Set<ChildProcess>();

async function output(folder: string, command: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  running.delete(child);
  if (code !== 0) throw new Error(`'${[command, ...args].join(' ')}' ended with ${code} in ${folder}.`);
  return printed;
}

async function measure(folder: string, waiting: number): Promise<Run> {
  const args = ['run', '--silent', 'bench', '--', '--json', '--waiting', String(waiting)];
  const printed = await output(folder, 'npm', ...args);
  return (JSON.parse(printed) as { readonly rows: readonly Row[] }).rows;
}

/**
 * Checks a commit out into a temporary folder, installs its packages and returns the folder. The folder is removed, and
 * its child processes are killed, when this process exits.
 */
async function checkOut(ref: string): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const folder = join(root, 'tree');
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    spawnSync('git', ['worktree', 'remove', '--force', folder]);
    rmSync(root, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  execFileSync('git', ['worktree', 'add', '--detach', folder, ref], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(`installing ${ref} …`);
  await output(folder, 'npm', 'ci');
  return folder;
}

/**
 * Measures this tree and another commit in turn and prints the comparison after the last round. Resolves with true if
 * no benchmark row of this tree is slower by more than its spread and the tolerance together.
 *
 * @throws Error if the commit does not exist, cannot be installed, or its benchmark fails.
 */
export async function against(ref: string, rounds: number, waiting: number): Promise<boolean> {
  const there = await checkOut(ref);
  const runs = { here: [] as Run[], there: [] as Run[] };
  for (let round = 0; round < Math.max(fewestRounds, rounds); round++) {
    // The two trees take turns in going first, so that a machine that slows down affects both alike.
    const order = round % 2 === 0 ? (['there', 'here'] as const) : (['here', 'there'] as const);
    for (const side of order) {
      console.log(`round ${round + 1}: ${side === 'here' ? 'this tree' : ref} …`);
      runs[side].push(await measure(side === 'here' ? process.cwd() : there, waiting));
    }
  }
  const comparisons = compare(runs.here, runs.there);
  console.log(`\n${textOf(comparisons)}\n`);
  const slower = comparisons.filter(({ isSlower }) => isSlower);
  const beyond = `by more than ${tolerance * 100} % beyond its spread`;
  console.log(
    slower.length === 0 ? `no row is slower ${beyond}` : `${slower.length} rows are slower ${beyond}`,
  );
  return slower.length === 0;
}
