import { type Case, cases } from './cases.ts';
import { startDouble } from './double.ts';
import { startMinistack } from './ministack.ts';
import { openWorld, type World } from './world.ts';

export interface Tally {
  readonly count: number;
  readonly passed: number;
}

/** Runs each case in a world of its own and prints it. A run without cases passes nothing. */
export async function runEach(
  all: readonly Case[],
  where: string,
  open: () => Promise<World>,
): Promise<Tally> {
  let passed = 0;
  for (const { name, run } of all) {
    try {
      const world = await open();
      try {
        await run(world);
      } finally {
        await world.close();
      }
      passed += 1;
      console.log(`ok      ${where}: ${name}`);
    } catch (thrown) {
      console.log(`failed  ${where}: ${name}`, thrown);
    }
  }
  return { count: all.length, passed };
}

/** The cases that need no play, which ministack alone can run. */
export const plainCases: readonly Case[] = cases.filter(({ needsPlay }) => !needsPlay);

/** Runs all cases on ministack alone, then on a double before it. */
export async function runCases(): Promise<Tally> {
  const { endpoint, stop } = await startMinistack();
  try {
    const plain = await runEach(plainCases, 'ministack', () => openWorld(endpoint, undefined));
    const played = await runEach(cases, 'a double before ministack', async () => {
      const double = await startDouble(endpoint);
      return openWorld(double.endpoint, double);
    });
    return { count: plain.count + played.count, passed: plain.passed + played.passed };
  } finally {
    await stop();
  }
}
