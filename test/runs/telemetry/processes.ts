/** The processes of `npm run test:telemetry`. Each of them ends with the run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
const tied = new URL('../deploys/tied-to-parent.ts', import.meta.url).pathname;

/** A line of a process's log, with the fields of its JSON. */
export type Line = Readonly<Record<string, unknown>>;

export interface RunningProcess {
  /** The first line of the output, as JSON. */
  readonly startReport: Readonly<Record<string, unknown>>;
  /** The lines of the log so far. */
  lines(): readonly Line[];
  /** Stops the process in order, or kills it by `SIGKILL`, and waits for its end. */
  end(signal?: 'SIGKILL'): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;
export type EndableProcess = Pick<RunningProcess, 'end'>;

function start(args: readonly string[], env: Environment): ChildProcess {
  return spawn(process.execPath, ['--import', tied, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}

/** Starts a verb of the command, and waits for its first line of output. */
export async function startVerb(args: readonly string[], env: Environment): Promise<RunningProcess> {
  const child = start([main, ...args, '--json'], env);
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const gone = once(child, 'exit');
  const first = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    gone.then(() => undefined),
  ]);
  if (first === undefined) throw new Error(`holdfast ${args[0]} ended with ${child.exitCode}: ${log}`);
  return {
    startReport: JSON.parse(String(first[0])) as Record<string, unknown>,
    lines: () =>
      log
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Line),
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal ?? 'SIGTERM');
      await gone;
    },
  };
}

/** Starts the worker in Python, which ends when its input ends. */
export function startPython(python: string, env: Environment): EndableProcess {
  const child = spawn(python, [new URL('./python_worker.py', import.meta.url).pathname], {
    env: { ...process.env, GRPC_VERBOSITY: 'NONE', ...env },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const gone = once(child, 'exit');
  return {
    async end(signal) {
      if (signal === undefined) child.stdin.end();
      else child.kill(signal);
      await gone;
    },
  };
}

/** Runs a program to its end, and returns its output. */
export async function runProgram(args: readonly string[], env: Environment): Promise<string> {
  const child = start(args, env);
  let [output, log] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${log}`);
  return output;
}
