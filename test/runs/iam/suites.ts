/** The suites whose calls are recorded: those with an engine or a process on the stand-ins of AWS. */
import { fileURLToPath } from 'node:url';
import { runNode } from './processes.ts';

const suites = [
  'test/aws/',
  'test/contract/aws.spec.ts',
  ...['aws', 'dlq', 'redispatch', 'show-verify', 'why-throttled'].map((name) => `test/cli/${name}`),
];
/** Specs that load the machine and make the same calls as others. */
const leftOut = ['test/aws/overloaded/**', 'test/aws/silent-table.spec.ts'];

/**
 * Runs the suites. Returns a sentence for the report: a test that fails has made its calls too, and `npm test` judges it. What
 * a suite did not call is a grant that was never used.
 */
export async function runSuites(recording: Readonly<Record<string, string>>): Promise<string> {
  const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
  const excluded = leftOut.flatMap((path) => ['--exclude', path]);
  try {
    await runNode([vitest, 'run', ...excluded, ...suites], recording);
    return 'the suites have run';
  } catch (failed) {
    const names = [...(failed as Error).message.matchAll(/FAIL.*?(test\/\S+\.ts)/g)].map(([, name]) => name);
    return `the suites have run, with failed tests in ${[...new Set(names)].join(', ')}`;
  }
}
