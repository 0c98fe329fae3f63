import { cases } from './cases.ts';
import { startDouble } from './double.ts';
import { startMinistack } from './ministack.ts';
import { openWorld } from './world.ts';

/** Runs all cases on ministack and prints each. `npm run cdk:deploy-local` may give the address of one that runs. */
export async function runCases(
  running?: string,
): Promise<{ readonly count: number; readonly passed: number }> {
  const ministack = running === undefined ? await startMinistack() : undefined;
  const endpoint = running ?? ministack?.endpoint ?? '';
  let count = 0;
  let passed = 0;
  try {
    for (const hasPlay of [false, true]) {
      for (const { name, run } of cases.filter(({ needsPlay }) => hasPlay || !needsPlay)) {
        count += 1;
        const double = hasPlay ? await startDouble(endpoint) : undefined;
        const world = await openWorld(double?.endpoint ?? endpoint, double);
        const where = hasPlay ? 'a double before ministack' : 'ministack';
        try {
          await run(world);
          passed += 1;
          console.log(`ok      ${where}: ${name}`);
        } catch (thrown) {
          console.log(`failed  ${where}: ${name}`, thrown);
        } finally {
          await world.close();
        }
      }
    }
  } finally {
    await ministack?.stop();
  }
  return { count, passed };
}
