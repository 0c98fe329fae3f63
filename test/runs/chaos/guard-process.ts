/**
 * Main program of the guard of `npm run chaos`. When the run ends, however it ends, the guard undoes everything that would
 * outlast it: it lets stopped processes go on, so that they notice the end of the run, unmounts the small disk, and removes
 * the run's folder.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardCommand } from './guard.ts';

/** The time in which the processes of the run end after it. */
const endMs = 1_500;

const stopped = new Set<number>();
let folder: string | undefined;
let mount: string | undefined;

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process was killed meanwhile.
  }
}

process.on('message', (command: GuardCommand) => {
  if (command.kind === 'folder') folder = command.path;
  else if (command.kind === 'mount') mount = command.path;
  else if (command.kind === 'stop') {
    stopped.add(command.pid);
    signal(command.pid, 'SIGSTOP');
  } else if (command.kind === 'go') {
    stopped.delete(command.pid);
    signal(command.pid, 'SIGCONT');
  }
});
process.once('disconnect', async () => {
  for (const pid of stopped) signal(pid, 'SIGCONT');
  await sleep(endMs);
  if (mount !== undefined) spawnSync('umount', ['--lazy', mount]);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
// The guard must outlast a Ctrl-C, which reaches it as well as the run.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
console.log(JSON.stringify({ pid: process.pid }));
