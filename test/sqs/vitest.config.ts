// `npm run test:sqs` runs the same specs on both stand-ins for SQS. The second needs Python, so it is no `*.spec.ts`.
import { defineConfig } from 'vitest/config';
import { NoSkips } from '../../scripts/no-skips.ts';

export default defineConfig({
  test: {
    include: ['test/sqs/*.spec.ts', 'test/sqs/ministack.ts'],
    pool: 'forks',
    maxWorkers: 1,
    allowOnly: false,
    passWithNoTests: false,
    // Only a test that hangs takes this long, also on a busy machine. No test is judged by its speed.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', new NoSkips()],
  },
});
