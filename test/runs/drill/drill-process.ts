/** A process of the drill in Node, which ends when the run ends. Its log goes into a file of the run's folder. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { RunProcess } from '../deploys/run-process.ts';

const tied = new URL('../deploys/tied-to-parent.ts', import.meta.url).href;
/** The folder of Node's compile cache, which halves the start time of each process. */
const cache = new URL('../../../node_modules/.cache/holdfast-cli', import.meta.url).pathname;

export class DrillProcess extends RunProcess {
  constructor(dir: string, name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const log = openSync(join(dir, `${name}.log`), 'a');
    const child = spawn(process.execPath, ['--import', tied, ...args], {
      env: { ...process.env, NODE_COMPILE_CACHE: cache, ...env },
      stdio: ['ignore', 'pipe', log, 'ipc'],
    });
    closeSync(log);
    super(name, child);
  }

  send(message: object): void {
    if (this.process.connected) this.process.send(message, () => {});
  }
}
