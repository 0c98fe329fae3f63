// `npm run verify` runs all checks of CI, with the commands of CI. Each step is an npm script, so that a failed one can be
// repeated alone. The run stops at the first failure, because later steps rely on earlier ones, and prints the command to
// repeat. It prints the time of each step, because developers skip checks that take too long.
import { type ChildProcess, spawn } from 'node:child_process';
import { styleText } from 'node:util';

/** The simulation uses one core and no file of a step, so it runs beside the steps before the tests. */
const besides = 'sim:ci';
export const steps = [
  'lint',
  'workflows:lint',
  'typecheck',
  'proto:lint',
  'proto:breaking',
  'proto:check',
  'licences',
  'build',
  'package:check',
  besides,
  'bench:ci',
  'test',
];

const times: [step: string, seconds: number][] = [];
const children = new Set<ChildProcess>();

/** Runs a step and returns its exit code and its output, which is empty if the step inherits the one of this process. */
function run(step: string, stdio: 'inherit' | 'pipe'): Promise<{ code: number; output: Buffer }> {
  const start = performance.now();
  const child = spawn('npm', ['run', '--silent', step], { stdio: ['inherit', stdio, stdio] });
  children.add(child);
  const parts: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => parts.push(part));
  child.stderr?.on('data', (part: Buffer) => parts.push(part));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      children.delete(child);
      times.push([step, (performance.now() - start) / 1000]);
      resolve({ code: code ?? 1, output: Buffer.concat(parts) });
    });
  });
}

async function verify(): Promise<void> {
  const begin = performance.now();
  const simulation = run(besides, 'pipe');
  let failed: string | undefined;
  for (const step of steps) {
    console.log(styleText('bold', `\n── ${step} ──`));
    const { code, output } = await (step === besides ? simulation : run(step, 'inherit'));
    process.stdout.write(output);
    if (code !== 0) {
      failed = step;
      break;
    }
  }
  for (const child of children) child.kill();

  console.log();
  for (const [step, seconds] of times) {
    const mark = step === failed ? styleText('red', '✗') : styleText('green', '✓');
    console.log(`${mark} ${step.padEnd(16)}${seconds.toFixed(1).padStart(7)} s`);
  }
  const total = (performance.now() - begin) / 1000;
  console.log(`  ${'total'.padEnd(16)}${total.toFixed(1).padStart(7)} s`);
  if (failed !== undefined) {
    console.error(styleText('red', `\n${failed} failed. To reproduce: npm run ${failed}`));
    process.exit(1);
  }
}

if (import.meta.main) await verify();
