/** The process in which a worker runs one task that must run alone, as the worker sees it. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { AttemptAborted } from '../../client/errors.ts';
import { returned } from '../../client/worker/outcome.ts';
import type { AloneAttempt, AloneEnd, AloneRunner } from '../../client/worker/run-alone.ts';
import type { AloneCommand, AloneReport } from './messages.ts';
import { CallRelay } from './relay.ts';

const main = join(import.meta.dirname, `alone-main${extname(import.meta.filename)}`);
/** The most such processes of one worker: each of them loads the worker's module. */
const processes = 4;
/** The time that a handler gets to stop after its attempt has ended in the worker, for example by its timeout. */
const endMs = 1_000;

/** Returns the runner of a worker; `file` is the module that defines it. Each process loads that module again. */
export function aloneProcesses(file: string): AloneRunner {
  return { processes, run: (attempt) => new AloneProcess(file, attempt).ended };
}

class AloneProcess {
  readonly ended: Promise<AloneEnd>;
  readonly #attempt: AloneAttempt;
  readonly #child: ChildProcess;
  readonly #relay: CallRelay;
  /** True once the handler was called: if the process ends by itself from then on, that counts as a loss of the task. */
  #hasBegun = false;
  #end: AloneEnd | undefined;
  #failure: string | undefined;

  constructor(file: string, attempt: AloneAttempt) {
    this.#attempt = attempt;
    this.#relay = new CallRelay(attempt.transport, (command) => this.#send(command));
    this.#child = fork(main, [file], {
      execArgv: process.execArgv.filter((flag) => !/^--(inspect|max-semi-space-size)/.test(flag)),
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (report: AloneReport) => this.#receive(report));
    // If the process cannot be started or a message to it fails, the process ends too, and `close` follows.
    this.#child.on('error', (error) => {
      this.#failure ??= error.message;
    });
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', kill);
    attempt.over.addEventListener('abort', () => setTimeout(kill, endMs).unref());
    const { promise, resolve } = Promise.withResolvers<AloneEnd>();
    this.ended = promise;
    // The event `close` comes after the last message; `exit` may come before it.
    this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      process.off('exit', kill);
      this.#relay.close();
      resolve(this.#endOf(signal === null ? `exit code ${code}` : signal));
    });
  }

  #endOf(how: string): AloneEnd {
    if (this.#end !== undefined) return this.#end;
    if (this.#failure !== undefined) return { kind: 'notBegun', how: this.#failure };
    return { kind: this.#hasBegun ? 'lost' : 'notBegun', how };
  }

  #receive(report: AloneReport): void {
    switch (report.kind) {
      case 'ready':
        this.#run();
        break;
      case 'begun':
        this.#hasBegun = true;
        break;
      case 'progress':
        this.#attempt.progressed(report.progress);
        break;
      case 'ended':
        this.#end = report;
        break;
      case 'failed':
        this.#failure = report.message;
        break;
      case 'call':
        void this.#relay.begin(report);
        break;
      case 'callAborted':
        this.#relay.abort(report.id);
        break;
    }
  }

  #run(): void {
    const { assignment, signal, stopping, over } = this.#attempt;
    // What was recalled while the process started does not begin.
    if (over.aborted || signal.aborted || stopping.aborted) {
      this.#end = { kind: 'ended', outcome: returned };
      this.#child.kill('SIGKILL');
      return;
    }
    this.#send({ kind: 'run', assignment });
    stopping.addEventListener('abort', () => this.#send({ kind: 'stopping' }));
    signal.addEventListener('abort', () => {
      const { kind, message } = signal.reason as AttemptAborted;
      this.#send({ kind: 'abort', abortKind: kind, message });
    });
  }

  #send(command: AloneCommand): void {
    if (this.#child.connected) this.#child.send(command, () => {});
  }
}
