/** The process that undoes everything that would outlast the run (guard-process.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export type GuardCommand =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'mount'; readonly path: string }
  | { readonly kind: 'stop'; readonly pid: number }
  | { readonly kind: 'go'; readonly pid: number };

export class Guard {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static async start(): Promise<Guard> {
    const program = new URL('./guard-process.ts', import.meta.url).pathname;
    // A session of its own, so that a signal to the run's process group does not end the guard too.
    const child = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return new Guard(child);
  }

  send(command: GuardCommand): void {
    this.#process.send(command);
  }

  /** Lets the guard undo everything, and waits for it. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }
}
