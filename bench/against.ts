/**
 * `npm run bench -- --against REF` runs the benchmark of another commit and of this tree in alternation and compares
 * them. Two runs an hour apart differ by up to a fifth on a shared machine, so only alternating runs are comparable.
 */
import { checkOut, output } from './checkout.ts';
import { compare, jsonOf, type Run, textOf, tolerance } from './compare.ts';
import type { Row } from './report.ts';

export const fewestRounds = 3;

async function measure(folder: string, waiting: number): Promise<Run> {
  const args = ['run', '--silent', 'bench', '--', '--json', '--waiting', String(waiting)];
  const printed = await output(folder, 'npm', args);
  return (JSON.parse(printed) as { readonly rows: readonly Row[] }).rows;
}

/**
 * Measures this tree and another commit in turn and prints the comparison after the last round; with `json` it prints one object, and
 * all else to standard error. Resolves with true if
 * no benchmark row of this tree is slower by more than its spread and the tolerance together.
 *
 * @throws Error if the commit does not exist, cannot be installed, or its benchmark fails.
 */
export async function against(
  ref: string,
  { rounds, waiting, json }: { readonly rounds: number; readonly waiting: number; readonly json: boolean },
): Promise<boolean> {
  const say = json ? console.error : console.log;
  const there = await checkOut(ref);
  const runs = { here: [] as Run[], there: [] as Run[] };
  for (let round = 0; round < Math.max(fewestRounds, rounds); round++) {
    // The two trees take turns in going first, so that a machine that slows down affects both alike.
    const order = round % 2 === 0 ? (['there', 'here'] as const) : (['here', 'there'] as const);
    for (const side of order) {
      say(`round ${round + 1}: ${side === 'here' ? 'this tree' : ref} …`);
      runs[side].push(await measure(side === 'here' ? process.cwd() : there, waiting));
    }
  }
  const comparisons = compare(runs.here, runs.there);
  if (json) console.log(jsonOf(comparisons));
  say(`\n${textOf(comparisons)}\n`);
  const slower = comparisons.filter(({ isSlower }) => isSlower);
  const beyond = `by more than ${tolerance * 100} % beyond its spread`;
  say(slower.length === 0 ? `no row is slower ${beyond}` : `${slower.length} rows are slower ${beyond}`);
  return slower.length === 0;
}
