/** Other commits of this repository, checked out and installed beside this tree. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const running = new Set<ChildProcess>();

/**
 * Runs a command in a folder, with `env` beside the environment of this process, and returns its output.
 *
 * @throws Error if the command ends with another exit status than 0.
 */
export async function output(
  folder: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(command, args, { cwd: folder, stdio: [...stdio], env: { ...process.env, ...env } });
  running.add(child);
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  running.delete(child);
  if (code !== 0) throw new Error(`'${[command, ...args].join(' ')}' ended with ${code} in ${folder}.`);
  return printed;
}

/**
 * Checks a commit out into a temporary folder, installs its packages and returns the folder. The folder is removed, and
 * its child processes are killed, when this process exits.
 */
export async function checkOut(ref: string): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const folder = join(root, 'tree');
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    spawnSync('git', ['worktree', 'remove', '--force', folder]);
    rmSync(root, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  execFileSync('git', ['worktree', 'add', '--detach', folder, ref], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(`installing ${ref} …`);
  await output(folder, 'npm', ['ci']);
  return folder;
}
