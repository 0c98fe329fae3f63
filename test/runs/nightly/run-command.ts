/** Runs one command of the nightly run to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { tied } from '../alerts/programs.ts';
import type { NightlyCommand } from './commands.ts';

const root = new URL('../../../', import.meta.url).pathname;

export interface CommandEnd {
  /** The exit status; null if a signal ended the command. */
  readonly status: number | null;
  /** True if the command did not end within its limit and was killed. */
  readonly isLate: boolean;
  /** The newest lines of the output that are not empty. */
  readonly lastLines: readonly string[];
  readonly seconds: number;
}

const keptLines = 20;
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** Returns how long a command may take: a run that hangs must not hold up those after it. */
export function limitMsOf({ minutes }: Pick<NightlyCommand, 'minutes'>): number {
  return (3 * minutes + 15) * 60_000;
}

/**
 * Starts the text of a script in a shell that it replaces, and ties it to this process, so that no process of npm stands between
 * them. The text and the PATH are those of `npm run`.
 */
function start(script: string, args: readonly string[]): ChildProcess {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };
  const text = (scripts[script] ?? '').replace(/^exec /, '');
  const [program = '', ...argv] = [...tied, 'sh', '-c', `exec ${text} "$@"`, 'sh', ...args];
  const PATH = [`${root}node_modules/.bin`, process.env.PATH].join(delimiter);
  return spawn(program, argv, {
    cwd: root,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a command. Its whole output goes into the file. */
export async function runCommand(
  command: Pick<NightlyCommand, 'script' | 'args' | 'minutes'>,
  file: string,
): Promise<CommandEnd> {
  const beganMs = performance.now();
  const output = createWriteStream(file);
  const child = start(command.script, command.args);
  running.add(child);
  const lastLines: string[] = [];
  let rest = '';
  const take = (text: string): void => {
    output.write(text);
    const parts = `${rest}${text}`.split('\n');
    rest = parts.pop() ?? '';
    lastLines.push(...parts.filter((part) => part.trim() !== ''));
    lastLines.splice(0, lastLines.length - keptLines);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', take);
  let isLate = false;
  const watchdog = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitMsOf(command));
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(watchdog);
  running.delete(child);
  if (rest.trim() !== '') lastLines.push(rest);
  await new Promise<void>((resolve) => output.end(() => resolve()));
  return { status, isLate, lastLines, seconds: (performance.now() - beganMs) / 1_000 };
}
