// Starts a tool of this project and waits for it, output untouched. Tools are named without a path: every script here
// is run by `npm run`, which puts node_modules/.bin (and so the pinned Node) first.
import { spawnSync } from 'node:child_process';

/** The tool's exit code; 1 where a signal ended it. */
export function run(tool: string, ...args: readonly string[]): number {
  const child = spawnSync(tool, args, { stdio: 'inherit' });
  if (child.error) throw child.error;
  return child.status ?? 1;
}

/** As `run`, but a failure ends this script with the same code. */
export function must(tool: string, ...args: readonly string[]): void {
  const code = run(tool, ...args);
  if (code !== 0) process.exit(code);
}
