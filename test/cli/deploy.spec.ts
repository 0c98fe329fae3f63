/** Runs the cases of `holdfast deploy` on a double of AWS. `npm run rollback` runs them on ministack too. */
import { it, vi } from 'vitest';
import { doubleCases } from '../runs/deploy-local/rollback/cases.ts';
import { startDouble } from '../runs/deploy-local/rollback/double.ts';
import { openWorld } from '../runs/deploy-local/rollback/world.ts';

vi.setConfig({ testTimeout: 30_000 });

for (const { name, run } of doubleCases) {
  it(`holdfast deploy: ${name}`, async () => {
    const double = await startDouble();
    const world = await openWorld(double.endpoint, double);
    try {
      await run(world);
    } finally {
      await world.close();
    }
  });
}
