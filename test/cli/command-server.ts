/**
 * Runs the `holdfast` command as a user types it: in this process if the command answers and ends, in a process of its
 * own if it keeps running.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { asVerb } from '../fixtures/verb-in-process.ts';

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output parsed as JSON. Undefined without `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the fields that it expects
  readonly json: any;
}

/** Runs one command line in this process. */
export async function holdfast(...argv: readonly string[]): Promise<CommandResult> {
  let out = '';
  let err = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    const code = await asVerb(argv, () => run(argv));
    return { code, out, err, json: argv.includes('--json') ? JSON.parse(out) : undefined };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

/** Runs one command line in this process with `cwd` as the current folder. */
export async function within(cwd: string, ...argv: readonly string[]): Promise<CommandResult> {
  const before = process.cwd();
  process.chdir(cwd);
  try {
    return await holdfast(...argv);
  } finally {
    process.chdir(before);
  }
}

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
/** The entries of the package, and where a program of a project finds them in this checkout. */
const entries = {
  holdfast: new URL('../../src/index.ts', import.meta.url).href,
  'holdfast/testing': new URL('../../src/testkit/index.ts', import.meta.url).href,
  'holdfast/web': new URL('../../src/web/index.ts', import.meta.url).href,
};
/** The folder of Node's compile cache, which halves the start time of the many processes of these tests. */
const cache = new URL('../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;
const patienceMs = 30_000;

export interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<number | NodeJS.Signals>;
  /** Everything that the process has written to standard output so far. */
  readonly out: string;
  readonly err: string;
  /** Resolves with the match once the output since the last call of `until` matches. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
}

interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Starts `holdfast …` as a process, which is killed at the end of the test. */
export function start(argv: readonly string[], options: StartOptions = {}): Started {
  return startNode([main, ...argv], options);
}

/** Runs a program of a project to its end and returns its standard output. */
export async function node(cwd: string, program: string): Promise<string> {
  const ran = startNode([program], { cwd });
  const code = await ran.exit;
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${ran.out}${ran.err}`);
  return ran.out;
}

/** Starts a program as a process, which is killed at the end of the test. */
export function startNode(argv: readonly string[], options: StartOptions): Started {
  const child = spawn(process.execPath, argv, {
    cwd: options.cwd,
    env: { ...process.env, HOLDFAST_LOG: 'warn', NODE_COMPILE_CACHE: cache, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const written = { out: '', err: '', fresh: '' };
  let wake = (): void => {};
  const take = (into: 'out' | 'err') => (data: Buffer) => {
    written[into] += data;
    written.fresh += data;
    wake();
  };
  child.stdout.on('data', take('out'));
  child.stderr.on('data', take('err'));
  child.stdin.end(options.input ?? '');
  const exit = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 1)),
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return {
    child,
    exit,
    get out() {
      return written.out;
    },
    get err() {
      return written.err;
    },
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Error(`the output never matched ${pattern}:\n${written.out}${written.err}`)),
          patienceMs,
        );
        wake = () => {
          const match = pattern.exec(written.fresh);
          if (match === null) return;
          written.fresh = written.fresh.slice(match.index + match[0].length);
          clearTimeout(late);
          wake = () => {};
          resolve(match);
        };
        wake();
      }),
    signal: (name) => void child.kill(name),
  };
}

/** Creates the folder of a user's project, which is removed at the end of the test. */
export function project(files: Readonly<Record<string, string>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  for (const [name, text] of Object.entries(files)) save(dir, name, text);
  return dir;
}

/**
 * Writes a file as an editor would save it. An import of `'holdfast'` or another entry of the package in the file becomes an
 * import from this checkout.
 */
export function save(dir: string, name: string, text: string): void {
  let here = text;
  for (const [entry, url] of Object.entries(entries)) here = here.replaceAll(`'${entry}'`, `'${url}'`);
  writeFileSync(join(dir, name), here);
}

export const contract = `
import { defineTask, typed } from 'holdfast';
export const greet = defineTask('greet', {
  input: typed<{ name: string }>(),
  output: typed<{ greeting: string }>(),
  timeout: '30s',
});`;

/** Returns the source code of a worker module whose handler runs `body` and then greets with this word. */
export function worker(word: string, body = ''): string {
  return `
import { defineWorker, FatalError, handle } from 'holdfast';
import { greet } from './contract.ts';
export default defineWorker({
  handlers: [handle(greet, async ({ name }) => {
    ${body}
    if (name === 'nobody') throw new FatalError('there is nobody');
    return { greeting: '${word}, ' + name + '!' };
  })],
});`;
}

export const free = ['--port', '0', '--http-port', '0'];
/** The files of a project whose worker handles the task type `greet`. */
export const greets = { 'contract.ts': contract, 'worker.ts': worker('Hello') };
export const name = (who: string): string => JSON.stringify({ name: who });

/** Starts `holdfast dev` on free ports. */
export function dev(cwd: string, ...argv: readonly string[]): Started {
  return start(['dev', ...argv, ...free], { cwd });
}

/** Submits a greeting, as from a second terminal in the folder `cwd`, and returns what the command prints. */
export async function greet(cwd: string, who: string, ...more: readonly string[]): Promise<string> {
  return (await within(cwd, 'submit', 'greet', name(who), ...more)).out;
}
