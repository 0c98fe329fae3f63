/** Processes that the run starts and that end. They end with the run, whatever ends it. */
import { type ChildProcess, spawn } from 'node:child_process';

const tied = new URL('./tied-group.ts', import.meta.url).href;
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
});
// Without a handler these signals would end the run without its `exit` listeners.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

/** Runs a program of Node to its end. Rejects with its output if it does not end with status 0. */
export async function runNode(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(process.execPath, ['--import', tied, ...argv], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => (output += String(part)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  running.delete(child);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}:\n${output.slice(-4_000)}`);
  return output;
}
