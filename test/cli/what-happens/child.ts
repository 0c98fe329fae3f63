/** A `holdfast` command as a process that a test kills, stops or lets stand still. */
import { type ChildProcess, spawn } from 'node:child_process';

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
/** The folder of Node's compile cache, which halves the start time of each process. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

export interface Child {
  /** Resolves with everything that the process has written, once that matches. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with the exit status, or with the signal that ended the process. */
  readonly exit: Promise<number | NodeJS.Signals>;
  signal(name: NodeJS.Signals): void;
  /** Ends the process by SIGKILL, also if it stands still. */
  kill(): Promise<void>;
}

export function startChild(argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Child {
  const child: ChildProcess = spawn(process.execPath, [main, ...argv], {
    cwd,
    env: { ...process.env, HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let written = '';
  const waiting = new Set<() => void>();
  const take = (data: Buffer): void => {
    written += data;
    for (const look of waiting) look();
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const exit = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 1)),
  );
  return {
    exit,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(written)) return;
          waiting.delete(look);
          resolve(written);
        };
        waiting.add(look);
        look();
        void exit.then((status) => reject(new Error(`holdfast ended with ${status}:\n${written}`)));
      }),
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}
