/** Runs the `holdfast` command in separate processes, as a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { ItemError } from '../../src/core/messages.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
/** Compile cache of Node: half of a command's start time is compiling TypeScript, which the cache saves. */
const compiled = new URL('../../node_modules/.cache/holdfast-commands', import.meta.url).pathname;
/** A command that runs longer than this hangs: it is killed, and its test fails. */
const maxRunMs = 40_000;

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The largest file, in KB, that the system lets the process write. */
  readonly fileKb?: number;
  /** Enforces the file modes for root too. Default: false. */
  readonly enforceModes?: boolean;
}

const running = new Set<ChildProcess>();

/** Kills the processes that a failed test left running. Call it after the tests of a file. */
export function endCommands(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** The exit status and the output of a command. */
export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly log: string;
  /** The error that the command printed with `--json`, or an empty object. */
  readonly error: Partial<ItemError>;
}

/** A command prefix that drops root's capability to ignore file modes. */
const withoutRootOverride = ['setpriv', '--bounding-set', '-dac_override'];

function argv(args: readonly string[], { fileKb, enforceModes }: CommandOptions): [string, string[]] {
  const isRoot = process.getuid?.() === 0;
  const prefix = enforceModes === true && isRoot ? withoutRootOverride : [];
  const command = [...prefix, process.execPath, main, ...args];
  if (fileKb === undefined) return [command[0] as string, command.slice(1)];
  return ['bash', ['-c', `ulimit -f ${fileKb}; exec "$@"`, 'bash', ...command]];
}

export function spawnCommand(args: readonly string[], options: CommandOptions = {}): ChildProcess {
  const testEnv = { HOLDFAST_URL: '', HOLDFAST_LOG: 'info', NODE_COMPILE_CACHE: compiled };
  const env = { ...process.env, ...testEnv, ...options.env };
  const [program, programArgs] = argv(args, options);
  const child = spawn(program, programArgs, { env, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs a command until it exits. */
export async function runCommand(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
  const child = spawnCommand(args, options);
  const killTimer = setTimeout(() => child.kill('SIGKILL'), maxRunMs);
  const [out, log, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  clearTimeout(killTimer);
  const parsed = out.startsWith('{') ? (JSON.parse(out) as { readonly error?: Partial<ItemError> }) : {};
  return { code, out, log, error: parsed.error ?? {} };
}
