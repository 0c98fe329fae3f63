/** The `holdfast` command in processes of its own, as a user runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { ItemError } from '../../src/core/messages.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
/** Half of a command's start is making sense of TypeScript, which need not be done dozens of times. */
const compiled = new URL('../../node_modules/.cache/holdfast-commands', import.meta.url).pathname;
/** No command of these tests takes longer; one that hangs is killed, and its test fails. */
const mostMs = 20_000;

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The system lets the process write no file longer than this. */
  readonly fileKb?: number;
  /** Files that nobody may write are not written by root either. */
  readonly modesHold?: boolean;
}

const living = new Set<ChildProcess>();

/** Whatever a test that failed left behind ends with its file's tests. */
export function endCommands(): void {
  for (const child of living) child.kill('SIGKILL');
}

/** How a command ended. `error`: what `--json` printed of it. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly log: string;
  readonly error: Partial<ItemError>;
}

/** Root may write everything; without this capability its files' modes hold for it as for anybody. */
const asAnybody = ['setpriv', '--bounding-set', '-dac_override'];

function argv(args: readonly string[], { fileKb, modesHold }: CommandOptions): [string, string[]] {
  const isRoot = process.getuid?.() === 0;
  const words = [...(modesHold === true && isRoot ? asAnybody : []), process.execPath, main, ...args];
  if (fileKb === undefined) return [words[0] as string, words.slice(1)];
  return ['bash', ['-c', `ulimit -f ${fileKb}; exec "$@"`, 'bash', ...words]];
}

export function spawnCommand(args: readonly string[], options: CommandOptions = {}): ChildProcess {
  const ours = { HOLDFAST_URL: '', HOLDFAST_LOG: 'info', NODE_COMPILE_CACHE: compiled };
  const env = { ...process.env, ...ours, ...options.env };
  const [program, words] = argv(args, options);
  const child = spawn(program, words, { env, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}

/** Runs a command to its end. */
export async function runCommand(args: readonly string[], options?: CommandOptions): Promise<Ended> {
  const child = spawnCommand(args, options);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), mostMs);
  const [out, log, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  clearTimeout(tooLong);
  const said = out.startsWith('{') ? (JSON.parse(out) as { readonly error?: Partial<ItemError> }) : {};
  return { code, out, log, error: said.error ?? {} };
}
