// `npm run test:sqs` runs the broker tests against both local SQS stand-ins. One of them, ministack, is a Python
// program; the script installs it once into a virtual environment of its own.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { must, run } from './run.ts';

const release = '1.5.33';
const venv = resolve('node_modules/.cache', `ministack-${release}`);
const python = join(venv, 'bin', 'python');
/**
 * The last file that the installation of ministack writes. If the file is missing, the virtual environment is
 * incomplete and is created again.
 */
const program = join(venv, 'bin', 'ministack');

function hasPython(): boolean {
  return spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0;
}

if (!existsSync(program)) {
  if (!hasPython()) {
    console.error(
      'test:sqs needs Python 3.10 or newer with venv (on Debian: apt install python3 python3-venv).',
    );
    process.exit(1);
  }
  must('python3', '-m', 'venv', '--clear', venv);
  must(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `ministack==${release}`);
}
process.env.HOLDFAST_MINISTACK_PYTHON = python;
process.exit(run('vitest', 'run', '--config', 'test/sqs/vitest.config.ts', '--root', '.'));
