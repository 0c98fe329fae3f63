// `npm run test:sqs` runs the same specs on both stand-ins for SQS, fauxqs and ministack. Ministack needs Python, so
// its file is no `*.spec.ts`.
import { defineConfig } from 'vitest/config';
import { NoSkips } from '../../scripts/no-skips.ts';

export default defineConfig({
  test: {
    include: ['test/sqs/*.spec.ts', 'test/sqs/ministack.ts'],
    pool: 'forks',
    maxWorkers: 1,
    allowOnly: false,
    passWithNoTests: false,
    // Only a test that hangs takes as long as these timeouts, even on a busy machine. No test is judged by its speed.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', new NoSkips()],
  },
});
