/** A `holdfast serve` process that is fuzzed. It ends with the run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { command } from '../deploys/deploy-process.ts';

const tied = new URL('../deploys/tied-to-parent.ts', import.meta.url).href;

export interface ServerSetup {
  /** The arguments of `holdfast serve` that name the store. */
  readonly store: readonly string[];
  readonly files: CertificateFiles;
  readonly policyFile: string;
  readonly env: Readonly<Record<string, string>>;
}

export class FuzzServer {
  readonly #process: ChildProcess;
  #isExpected = false;
  address = '';
  httpAddress = '';
  /** The log lines of level error and fatal, and everything else on standard error, which is how Node reports an uncaught error. */
  readonly errorLines: string[] = [];
  /** A sentence about the end of the process, if it ended by itself. */
  endedByItself: string | undefined;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.once('exit', (code, signal) => {
      if (!this.#isExpected) this.endedByItself = `the server ended by itself with ${signal ?? code}`;
    });
    createInterface({ input: process.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (!isPlainWarning(line) && !isDeathOfTask(line)) this.errorLines.push(line);
    });
  }

  static async start({ store, files, policyFile, env }: ServerSetup): Promise<FuzzServer> {
    const tls = ['--ca', files.ca, '--cert', files.cert, '--key', files.key, '--policy', policyFile];
    const args = ['serve', '--json', '--port', '0', '--http-port', '0', ...tls, ...store];
    const child = spawn(process.execPath, ['--import', tied, command, ...args], {
      env: { ...process.env, ...env, HOLDFAST_LOG: 'error' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const server = new FuzzServer(child);
    const started = once(child.stdout as NodeJS.ReadableStream, 'data');
    const first = await Promise.race([started, once(child, 'exit').then(() => undefined)]);
    if (first === undefined) throw new Error(`the server did not start: ${server.errorLines.join('\n')}`);
    child.stdout?.resume();
    const { grpcPort, httpPort } = JSON.parse(String(first[0])) as { grpcPort: number; httpPort: number };
    server.address = `127.0.0.1:${grpcPort}`;
    server.httpAddress = `127.0.0.1:${httpPort}`;
    return server;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Returns the highest resident memory since the start of the process, in MB. */
  peakMb(): number {
    if (!this.isRunning) return 0;
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
  }

  async stop(): Promise<void> {
    this.#isExpected = true;
    if (!this.isRunning) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }
}

/** Returns true for the warnings that Node itself prints, such as of an experimental feature. */
function isPlainWarning(line: string): boolean {
  return line === '' || /^\(node:\d+\) (ExperimentalWarning|Warning)|^\(Use `node --trace/.test(line);
}

/** Returns true for the line about a task whose workers were lost three times: fuzzed workers claim tasks and are silent. */
function isDeathOfTask(line: string): boolean {
  return line.includes('is dead: its workers were lost');
}
