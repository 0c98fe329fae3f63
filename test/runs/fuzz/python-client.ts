/** The fuzzing client in Python: grpcio has its own encoder, framing and HTTP/2, and shares no mistake with ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { codes, reasons } from '../../../src/core/errors.ts';
import { pythonClient } from '../python/client.ts';
import type { Target } from './identities.ts';

const program = new URL('./fuzz_client.py', import.meta.url).pathname;
const graceMs = 20_000;

interface PythonReport {
  readonly messages: number;
  readonly problem?: string;
  readonly case?: number;
  readonly path?: string;
  readonly identity?: string;
  readonly sent?: readonly string[];
}

export interface PythonFinding {
  readonly problem: string;
  readonly text: string;
}

export class PythonFuzzer {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** The number of messages that the client has sent. */
  messages = 0;

  constructor(target: Target, seed: number, seconds: number, report: (finding: PythonFinding) => void) {
    const { python, environment } = pythonClient();
    const setup = { address: target.address, clients: target.clients, seed, seconds, codes, reasons };
    this.#process = spawn(python, [program], {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#ended = once(this.#process, 'exit').then(([status]) => {
      if (status !== 0) report({ problem: `the Python client ended with ${status}`, text: '' });
    });
    // The pipe stays open: at its end the client ends too, so that it never outlives the run.
    this.#process.stdin?.write(`${JSON.stringify(setup)}\n`);
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const { messages, problem, ...rest } = JSON.parse(line) as PythonReport;
      this.messages = messages;
      if (problem === undefined) return;
      const where = `Python --seed ${seed} case ${rest.case}: ${rest.path} as ${rest.identity}`;
      report({ problem, text: `${problem}\n  ${where}\n  ${rest.sent?.join('\n  ')}` });
    });
  }

  /** Resolves when the client has ended, which it does after its seconds. */
  async ended(): Promise<void> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}
