/** A child process of `npm run deploys` in Node, which ends when the run ends. */
import { spawn } from 'node:child_process';
import { RunProcess } from './run-process.ts';

const tied = new URL('./tied-to-parent.ts', import.meta.url).href;
/** The path of the command `holdfast`. */
export const command = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
/** The folder of Node's compile cache, which halves the start time of each process. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

/** Returns the path of a main program in this folder. */
export function programIn(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

export class DeployProcess extends RunProcess {
  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, ['--import', tied, ...args], {
      env: { HOLDFAST_LOG: 'fatal', NODE_COMPILE_CACHE: cache, ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    super(name, child);
  }

  onMessage(receive: (message: never) => void): void {
    this.process.on('message', receive as (message: unknown) => void);
  }

  send(message: object): void {
    // A message to a process that is just ending fails, and nobody needs it any more.
    if (this.process.connected) this.process.send(message, () => {});
  }
}
