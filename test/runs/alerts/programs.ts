/** The programs of the run: they end with it, however it ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const install = 'apt-get install -y --no-install-recommends prometheus prometheus-alertmanager';

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Installs Prometheus and Alertmanager where that is possible. Returns one line about what to do if it is not. */
export function ensureInstalled(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  const advice = `${missing.join(', ')} not found; to install: ${install}`;
  if (process.getuid?.() !== 0 || !isInstalled('apt-get')) return advice;
  // The packages start services where a machine runs services; this run needs none.
  const [command = '', ...args] = install.split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  spawnSync(command, args, { stdio: 'ignore', env, timeout: 120_000 });
  return programs.every(isInstalled) ? undefined : advice;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** A kernel kills a program that setpriv started as soon as its parent ends, also if that was killed itself. */
export const tied = isInstalled('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];

export interface Program {
  /** The standard output so far. */
  readonly out: () => string;
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program. `env` is added to the environment. */
export function startProgram(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  const [command = '', ...args] = [...tied, ...argv];
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err = `${err}${part}`.slice(-4_000);
  });
  let isEnding = false;
  const gone = new Promise<void>((resolve) =>
    child.once('exit', (code) => {
      running.delete(child);
      if (!isEnding) {
        console.error(`${argv.slice(0, 3).join(' ')} ended with ${code}:\n${err}`);
        process.exit(1);
      }
      resolve();
    }),
  );
  return {
    out: () => out,
    async end(signal = 'SIGTERM') {
      isEnding = true;
      child.kill(signal);
      await gone;
    },
  };
}

/** Waits until `find` returns a value, and asks again every 50 ms. */
export async function until<T>(
  what: string,
  limitMs: number,
  find: () => Promise<T | undefined>,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await find().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`not within ${limitMs / 1_000} s: ${what}`);
    await sleep(50);
  }
}
