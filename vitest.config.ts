// Two workers for each of the two cores of CI: the end-to-end tests wait for leases, time limits and processes during half of
// their time. A run without tests, with `.only`, or with anything skipped fails: a green run must mean that everything was run.
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/longest-first.ts';
import { NoSkips } from './scripts/no-skips.ts';

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 4,
    allowOnly: false,
    passWithNoTests: false,
    // No test is judged by its speed: so long lasts only what hangs, on a busy machine too.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', new NoSkips()],
    sequence: { sequencer: LongestFirst },
    projects: [
      // The specs of a part share the processes of their workers, because starting one and loading the same modules again takes
      // longer than most of them.
      { extends: true, test: { name: 'src', include: ['src/**/*.spec.ts'], isolate: false } },
      { extends: true, test: { name: 'test', include: ['test/**/*.spec.ts', 'bench/**/*.spec.ts'] } },
    ],
  },
});
