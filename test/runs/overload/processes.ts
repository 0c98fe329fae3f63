/** The processes of an overload run (API node, worker, submitter) and the sums of their reports. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { BreakerState } from '../../../src/ports/overload.ts';
import type {
  LoadReport,
  OverloadAddress,
  OverloadCommand,
  OverloadReport,
  Role,
} from './process-messages.ts';

export class Processes {
  readonly #children: ChildProcess[] = [];
  readonly #onLogLine: (role: Role, message: string, fields: object) => void;
  readonly ids: string[] = [];
  readonly loads = new Map<Role, LoadReport>();
  readonly #states = new Map<Role, Set<BreakerState>>();
  offered = 0;
  done = 0;
  leasesLost = 0;
  /** The number of submissions that failed at their callers. */
  failed = 0;
  /** The address of the API node, once it serves. */
  api = '';
  #submitter: ChildProcess | undefined;
  #closing = false;

  constructor(onLogLine: (role: Role, message: string, fields: object) => void) {
    this.#onLogLine = onLogLine;
  }

  get acknowledged(): number {
    return this.ids.length;
  }

  /** Returns the states of a process's circuit breakers since the last call. */
  takeStatesOf(role: Role): readonly BreakerState[] {
    const states = [...(this.#states.get(role) ?? [])];
    this.#states.delete(role);
    return states;
  }

  get writeUnits(): number {
    return [...this.loads.values()].reduce((sum, { writeUnits }) => sum + writeUnits, 0);
  }

  get refused(): number {
    return this.loads.get('api')?.view.submissions.refused ?? 0;
  }

  async start(address: OverloadAddress): Promise<void> {
    const [port] = await Promise.all([
      this.#child('./api-process.ts', address),
      this.#child('./worker-process.ts', address),
    ]);
    this.api = `127.0.0.1:${port}`;
    await this.#child('./submitter-process.ts', { ...address, api: this.api });
    this.#submitter = this.#children.at(-1);
  }

  send(command: OverloadCommand): void {
    this.#submitter?.send(command);
  }

  /** Starts a process. Resolves when it is ready, with the port on which it listens, if any. */
  #child(file: string, address: OverloadAddress): Promise<number | undefined> {
    const child = fork(new URL(file, import.meta.url), [JSON.stringify(address)], {
      env: { HOLDFAST_LOG: 'fatal', ...process.env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    return new Promise((resolve, reject) => {
      child.on('message', (report: OverloadReport) => {
        if (report.kind === 'ready') resolve(report.port);
        else this.#receive(report);
      });
      child.once('exit', (status) => {
        if (this.#closing) return;
        console.error(`${file} ended by itself with status ${status}`);
        reject(new Error(`${file} ended`));
        process.exitCode = 1;
      });
    });
  }

  #receive(report: OverloadReport): void {
    if (report.kind === 'load') this.#receiveLoad(report);
    else if (report.kind === 'logged') this.#onLogLine(report.role, report.message, report.fields);
    else if (report.kind === 'submitted') {
      this.offered += report.offered;
      this.ids.push(...report.ids);
    } else if (report.kind === 'worked') {
      this.done += report.succeeded;
      this.leasesLost += report.leasesLost;
      this.send({ kind: 'done', succeeded: report.succeeded });
    } else if (report.kind === 'failed') {
      this.failed++;
      console.error(`a submission failed: ${report.message}`);
    }
  }

  #receiveLoad(report: LoadReport): void {
    this.loads.set(report.role, report);
    const states = this.#states.get(report.role) ?? new Set();
    for (const state of report.states) states.add(state);
    this.#states.set(report.role, states);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const ends = this.#children
      .filter(({ exitCode }) => exitCode === null)
      .map((child) => once(child, 'exit'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ends);
  }
}
