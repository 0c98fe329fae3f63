// Everything that CI checks, in CI's order and by CI's commands: each step is an npm script of its own, so that the
// one that failed can be repeated alone. It stops at the first failure, since the later steps judge what the earlier
// ones have accepted, and says what to type. The wall times are there because a check that takes too long gets skipped.
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
