// `npm run test:sqs` runs the broker tests against both local SQS stand-ins. One of them, ministack, is a Python
// program; the script installs it once into a virtual environment of its own.
import { ministackPython } from '../test/fixtures/ministack-python.ts';
import { run } from './run.ts';

try {
  process.env.HOLDFAST_MINISTACK_PYTHON = ministackPython();
} catch (failed) {
  console.error(`test:sqs: ${failed instanceof Error ? failed.message : failed}`);
  process.exit(1);
}
process.exit(run('vitest', 'run', '--config', 'test/sqs/vitest.config.ts', '--root', '.'));
