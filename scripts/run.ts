// Runs the tools of this project. They are named without a path, because `npm run` starts every script here and puts
// node_modules/.bin, and with it the pinned Node, first in PATH.
import { spawnSync } from 'node:child_process';

/** Runs a tool with inherited output and returns its exit code; 1 if a signal ended it. */
export function run(tool: string, ...args: readonly string[]): number {
  const child = spawnSync(tool, args, { stdio: 'inherit' });
  if (child.error) throw child.error;
  return child.status ?? 1;
}

/** Runs a tool; if it fails, ends this script with the tool's exit code. */
export function must(tool: string, ...args: readonly string[]): void {
  const code = run(tool, ...args);
  if (code !== 0) process.exit(code);
}
