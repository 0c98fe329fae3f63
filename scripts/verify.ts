// `npm run verify` runs all checks of CI, in the order and with the commands of CI. Each step is an npm script, so that
// a failed one can be repeated alone. The run stops at the first failure, because later steps rely on earlier ones, and
// prints the command to repeat. It prints the time of each step, because developers skip checks that take too long.
import { styleText } from 'node:util';
import { run } from './run.ts';

const steps = [
  'lint',
  'typecheck',
  'proto:lint',
  'proto:breaking',
  'proto:check',
  'licences',
  'build',
  'package:check',
  'test',
  'sim:ci',
];

const times: [step: string, seconds: number][] = [];
let failed: string | undefined;
for (const step of steps) {
  console.log(styleText('bold', `\n── ${step} ──`));
  const start = performance.now();
  const code = run('npm', 'run', '--silent', step);
  times.push([step, (performance.now() - start) / 1000]);
  if (code !== 0) {
    failed = step;
    break;
  }
}

console.log();
for (const [step, seconds] of times) {
  const mark = step === failed ? styleText('red', '✗') : styleText('green', '✓');
  console.log(`${mark} ${step.padEnd(16)}${seconds.toFixed(1).padStart(7)} s`);
}
console.log(
  `  ${'total'.padEnd(16)}${times
    .reduce((sum, [, seconds]) => sum + seconds, 0)
    .toFixed(1)
    .padStart(7)} s`,
);
if (failed !== undefined) {
  console.error(styleText('red', `\n${failed} failed. To reproduce: npm run ${failed}`));
  process.exit(1);
}
