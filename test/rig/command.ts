/** `holdfast …` as a process of its own, told of by its first line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CommandProcess {
  readonly pid: number;
  /** What its first line says, with `--json`. */
  readonly told: Readonly<Record<string, unknown>>;
  readonly isRunning: boolean;
  /** Resolves when it is gone, with its exit status; null: killed by a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
/** Halves the start of each. */
const cache = new URL('../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

const running = new Set<ChildProcess>();
// Whatever ends this process, nothing that it started stays.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves with its first line; rejects where it ends before. */
export async function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommandProcess> {
  const child: ChildProcess = spawn(process.execPath, [main, ...args, '--json'], {
    env: { ...process.env, HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  const first = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    gone.then(() => undefined),
  ]);
  if (first === undefined) throw new Error(`holdfast ${args[0]} ended with ${child.exitCode}`);
  return {
    pid: child.pid as number,
    told: JSON.parse(String(first[0])) as Record<string, unknown>,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
      return child.exitCode;
    },
  };
}
