/** The processes of a run: the API node, the worker, the submitter; and the sum of what they tell. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { BreakerState } from '../../../src/ports/overload.ts';
import type { FromChild, LoadTold, Place, Role, ToChild } from './process-messages.ts';

export class Processes {
  readonly #children: ChildProcess[] = [];
  readonly #onLogLine: (role: Role, message: string, fields: object) => void;
  readonly ids: string[] = [];
  readonly loads = new Map<Role, LoadTold>();
  readonly #states = new Map<Role, Set<BreakerState>>();
  offered = 0;
  done = 0;
  leasesLost = 0;
  /** Submissions that their callers gave up. */
  failed = 0;
  #submitter: ChildProcess | undefined;
  #closing = false;

  constructor(onLogLine: (role: Role, message: string, fields: object) => void) {
    this.#onLogLine = onLogLine;
  }

  get acknowledged(): number {
    return this.ids.length;
  }

  /** The states of the breakers of a process since this was asked last. */
  statesOf(role: Role): readonly BreakerState[] {
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

  async start(place: Place): Promise<void> {
    const [port] = await Promise.all([
      this.#child('./api-process.ts', place),
      this.#child('./worker-process.ts', place),
    ]);
    await this.#child('./submitter-process.ts', { ...place, address: `127.0.0.1:${port}` });
    this.#submitter = this.#children.at(-1);
  }

  tell(message: ToChild): void {
    this.#submitter?.send(message);
  }

  /** Once it is ready: the port that it listens on, if it does. */
  #child(file: string, place: Place): Promise<number | undefined> {
    const child = fork(new URL(file, import.meta.url), [JSON.stringify(place)], {
      env: { HOLDFAST_LOG: 'fatal', ...process.env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    return new Promise((resolve, reject) => {
      child.on('message', (told: FromChild) => {
        if (told.kind === 'ready') resolve(told.port);
        else this.#receiveMessage(told);
      });
      child.once('exit', (status) => {
        if (this.#closing) return;
        console.error(`${file} ended by itself with status ${status}`);
        reject(new Error(`${file} ended`));
        process.exitCode = 1;
      });
    });
  }

  #receiveMessage(told: FromChild): void {
    if (told.kind === 'load') this.#receiveLoad(told);
    else if (told.kind === 'said') this.#onLogLine(told.role, told.message, told.fields);
    else if (told.kind === 'submitted') {
      this.offered += told.offered;
      this.ids.push(...told.ids);
    } else if (told.kind === 'worked') {
      this.done += told.succeeded;
      this.leasesLost += told.leasesLost;
      this.tell({ kind: 'done', succeeded: told.succeeded });
    } else if (told.kind === 'failed') {
      this.failed++;
      console.error(`a submission failed: ${told.message}`);
    }
  }

  #receiveLoad(told: LoadTold): void {
    this.loads.set(told.role, told);
    const states = this.#states.get(told.role) ?? new Set();
    for (const state of told.states) states.add(state);
    this.#states.set(told.role, states);
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
