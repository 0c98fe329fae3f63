/** The probes of one phase of the run: a process that reports each probe. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ProbeReport, ProbeSetup } from './probe-messages.ts';

const tied = new URL('../deploys/tied-to-parent.ts', import.meta.url).href;
const auditMs = 60_000;

export class Probes {
  readonly #process: ChildProcess;
  readonly #report: (problem: string) => void;
  readonly #audited: Promise<unknown>;
  count = 0;
  slowestMs = 0;
  slowestStep = '';
  canaries = 0;

  private constructor(setup: ProbeSetup, report: (problem: string) => void) {
    this.#report = report;
    this.#process = fork(new URL('./probe-process.ts', import.meta.url), [JSON.stringify(setup)], {
      execArgv: ['--import', tied],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message: ProbeReport) => this.#take(message));
    this.#audited = once(this.#process, 'exit');
  }

  /** Starts the probes. Resolves when their process runs. */
  static async start(setup: ProbeSetup, report: (problem: string) => void): Promise<Probes> {
    const probes = new Probes(setup, report);
    await once(probes.#process, 'message');
    return probes;
  }

  #take(message: ProbeReport): void {
    if (message.kind === 'wrong') this.#report(`a probe failed: ${message.message}`);
    else if (message.kind === 'audited') {
      this.canaries = message.canaries;
      for (const problem of message.wrong) this.#report(`an acknowledged canary differs: ${problem}`);
    } else if (message.ms > 0) {
      this.count++;
      if (message.ms > this.slowestMs) {
        this.slowestMs = message.ms;
        this.slowestStep = message.slowestStep;
      }
    }
  }

  /** Stops the probes and compares all acknowledged canaries with what the server returns now. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.send('stop');
    const timer = setTimeout(() => {
      this.#report('the canaries could not be compared in time');
      this.#process.kill('SIGKILL');
    }, auditMs);
    await this.#audited;
    clearTimeout(timer);
    if (this.canaries === 0) this.#report('no canary was acknowledged and compared');
  }
}
