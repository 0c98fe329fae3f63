// `npm run test:sqs`: the same sentences on both stand-ins of SQS. The second needs Python, so it is no `*.spec.ts`.
import { defineConfig } from 'vitest/config';
import { NoSkips } from '../../scripts/no-skips.ts';

export default defineConfig({
  test: {
    include: ['test/sqs/*.spec.ts', 'test/sqs/ministack.ts'],
    pool: 'forks',
    maxWorkers: 1,
    allowOnly: false,
    passWithNoTests: false,
    // No test is judged by its speed: so long lasts only what hangs, on a busy machine too.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', new NoSkips()],
  },
});
