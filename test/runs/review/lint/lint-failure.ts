/** The eighth question: which command reproduces a failed lint step of CI. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parse } from 'yaml';
import type { Evidence, Question } from '../question.ts';

const root = new URL('../../../../', import.meta.url).pathname;
const workflow = '.github/workflows/ci.yml';
const page = 'docs/ci.md';
/** A constant that is never used, and a double equals sign, in a file of their own. */
const planted = 'src/core/planted.ts';
const text = "export const isOne = (value: unknown): boolean => value == '1';\n";
const limitMs = 180_000;

interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>>;
}

/** Returns the last command of the job `lint`, by the file of the workflow. */
export function stepOf(source: string): string | undefined {
  return (parse(source) as Workflow).jobs.lint?.steps.findLast(({ run }) => run !== undefined)?.run;
}

/** Returns the command that the page names for the job `lint`. */
export function documentedCommand(source: string): string | undefined {
  return /^\| `lint` \| `([^`]+)` \|/m.exec(source)?.[1];
}

/** Returns the line of an output that names the planted file. */
export function findingIn(output: string): string | undefined {
  // Biome underlines and colours what it prints for a terminal.
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
  return output
    .replaceAll(escapes, '')
    .split('\n')
    .find((line) => line.includes(planted))
    ?.trim()
    .replace(/\s*━+$/, '');
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Copies the tree without what git ignores, with the installed packages beside it. */
function copyTree(to: string): void {
  const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
  });
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`);
  for (const file of listed.stdout.split('\0').filter((one) => one !== '' && isFile(join(root, one)))) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(root, file), join(to, file));
  }
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
  // Biome reads the files of git's ignore list, so that the copy is a repository.
  spawnSync('git', ['init', '--quiet'], { cwd: to });
  appendFileSync(join(to, '.gitignore'), 'node_modules\n');
}

interface Ran {
  readonly status: number | null;
  readonly finding: string | undefined;
}

function run(command: string, argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Ran {
  const ran = spawnSync(command, argv, {
    ...{ cwd, env, encoding: 'utf8', timeout: limitMs, maxBuffer: 64 * 1_048_576 },
  });
  return { status: ran.status, finding: findingIn(`${ran.stdout}${ran.stderr}`) };
}

function compare(evidence: Evidence, dir: string, step: string, command: string): void {
  writeFileSync(join(dir, planted), text);
  evidence.act(`an error is planted in a copy of the tree: ${planted}: ${text.trim()}`);
  const { PATH = '', HOME = '' } = process.env;
  const bare = { PATH: [join(dir, 'node_modules', '.bin'), PATH].join(delimiter), HOME };
  // The runner of GitHub writes the text of a step into a file and runs it so.
  const file = join(dir, '..', 'step.sh');
  writeFileSync(file, step);
  evidence.act(`the step of ${workflow} as CI runs it, with CI=true: ${step.trim()}`);
  const inCi = run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', file], dir, { ...bare, CI: 'true' });
  evidence.see(`in CI:  status ${inCi.status}, ${inCi.finding ?? 'no finding'}`);
  evidence.act(`the command that ${page} prints for the job: ${command}`);
  const here = run('sh', ['-c', command], dir, bare);
  evidence.see(`here:   status ${here.status}, ${here.finding ?? 'no finding'}`);
  evidence.expect(inCi.status !== 0 && inCi.status !== null, `the step ended with ${inCi.status}`);
  evidence.expect(here.status === inCi.status, `the command ended with ${here.status}`);
  evidence.expect(inCi.finding !== undefined, 'the step does not name the planted file');
  evidence.expect(inCi.finding === here.finding, `${here.finding} in place of ${inCi.finding}`);
}

export const lintFailure: Question = {
  number: 8,
  title: 'CI fails at the lint step: which command reproduces it on this machine?',
  async answer(evidence) {
    for (const file of [workflow, page])
      if (!existsSync(join(root, file))) throw new Error(`${file} is missing`);
    const step = stepOf(readFileSync(join(root, workflow), 'utf8'));
    const command = documentedCommand(readFileSync(join(root, page), 'utf8'));
    if (step === undefined) throw new Error(`${workflow} has no step in a job 'lint'`);
    if (command === undefined) throw new Error(`${page} has no command for the job 'lint'`);
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-lint-'));
    try {
      const tree = join(dir, 'tree');
      mkdirSync(tree);
      copyTree(tree);
      compare(evidence, tree, step, command);
    } finally {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    }
  },
};
