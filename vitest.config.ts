// Two workers, because CI has two cores and the end-to-end tests start processes of their own. A run without tests,
// with `.only`, or with anything skipped fails: a green run must mean that everything was run.
import { defineConfig } from 'vitest/config';
import { NoSkips } from './scripts/no-skips.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.spec.ts', 'test/**/*.spec.ts', 'bench/**/*.spec.ts'],
    pool: 'forks',
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    // No test is judged by its speed: so long lasts only what hangs, on a busy machine too.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', new NoSkips()],
  },
});
