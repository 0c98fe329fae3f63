/**
 * A real server process that can be killed at any moment. It writes a mark to a file before and after each COMMIT of
 * SQLite, which shows whether the kill hit a commit.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateFiles } from '../../../src/tls/load.ts';

export interface ServerOptions {
  readonly dir: string;
  readonly port: number;
  readonly tls: CertificateFiles;
}

export class ServerProcess {
  readonly #options: ServerOptions;
  readonly #markFile: string;
  #child: ChildProcess | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#markFile = join(options.dir, 'commit-mark');
  }

  /** Starts the server and resolves when it serves. */
  async start(): Promise<void> {
    const { dir, port, tls } = this.#options;
    rmSync(this.#markFile, { force: true });
    const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
    const at = [
      'serve',
      '--json',
      '--store',
      `file:${join(dir, 'queue.db')}`,
      '--port',
      String(port),
      '--http-port',
      '0',
    ];
    const files = ['--ca', tls.ca, '--cert', tls.cert, '--key', tls.key];
    const env = { ...process.env, HOLDFAST_COMMIT_MARK: this.#markFile, HOLDFAST_LOG: 'error' };
    const child = spawn(process.execPath, [main, ...at, ...files], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const [first] = (await Promise.race([
      once(child.stdout as NodeJS.ReadableStream, 'data'),
      once(child, 'exit'),
    ])) as [unknown];
    if (!Buffer.isBuffer(first)) throw new Error(`the server did not start: exit status ${String(first)}`);
  }

  /**
   * Kills the server. Returns true if the kill hit a commit: the mark before a COMMIT was written, and the mark after
   * that COMMIT was not.
   */
  async kill(): Promise<boolean> {
    const child = this.#child;
    if (child === undefined) throw new Error('nothing to kill');
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    if (!existsSync(this.#markFile)) return false;
    const mark = readFileSync(this.#markFile);
    return mark.length > 0 && mark[mark.length - 1] === 0x42;
  }

  /** Stops the server with SIGTERM and returns its exit status. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return 0;
    const gone = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGTERM');
    return (await gone)[0];
  }
}
