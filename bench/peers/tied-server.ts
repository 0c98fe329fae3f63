/** Starts the servers of the peers. A server that ends by itself fails the rounds of its peer, and not the run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { tied } from '../../test/runs/alerts/programs.ts';

export interface TiedServer {
  /** Rejects if the server ends before `end`, with the last line that it wrote. */
  readonly ended: Promise<never>;
  end(signal?: NodeJS.Signals): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a server that ends with this process, also if this process is killed. `env` is added to the environment. */
export function startServer(argv: readonly string[], env: Readonly<Record<string, string>> = {}): TiedServer {
  const [command = '', ...parts] = [...tied, ...argv];
  const child = spawn(command, parts, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  const keep = (part: Buffer): void => {
    output = `${output}${part}`.slice(-2_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => {});
  const gone = new Promise<void>((resolve) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      reject(new Error(`${argv[0]} ended with ${code}: ${output.trim().split('\n').at(-1) ?? ''}`));
      resolve();
    });
  });
  return {
    ended,
    async end(signal = 'SIGTERM') {
      if (!running.has(child)) return;
      child.kill(signal);
      await gone;
    },
  };
}
