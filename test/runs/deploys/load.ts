/** The load of `npm run deploys`: the submitter, the ledger of acknowledgements, and the progress of the workers. */
import { DeployProcess, programIn } from './deploy-process.ts';
import { LedgerFollower } from './ledger.ts';
import type { SubmitterReport } from './process-messages.ts';

/** The number of unfinished tasks that the submitter keeps, so that a task waits for each free slot at any time. */
const mostUnfinished = 200;
const mostPerS = 120;
const readEveryMs = 200;

export interface LoadOptions {
  readonly seed: number;
  readonly ledgers: string;
  readonly clientEnv: Readonly<Record<string, string>>;
}

export class Load {
  readonly #submitter: DeployProcess;
  readonly #follower: LedgerFollower;
  readonly #timer: NodeJS.Timeout;
  readonly #own = new Set<string>();
  readonly #stopped = Promise.withResolvers<void>();
  /** The ids of all acknowledged tasks, oldest first. */
  readonly acknowledged = new Set<string>();
  /** The ids of the tasks that the run cancels. */
  readonly cancelled = new Set<string>();
  /** The submissions that failed. */
  readonly failures: string[] = [];

  constructor({ seed, ledgers, clientEnv }: LoadOptions) {
    this.#follower = new LedgerFollower(ledgers);
    const args = [seed, mostUnfinished, mostPerS].map(String);
    this.#submitter = new DeployProcess(
      'submitter',
      [programIn('./submitter-process.ts'), ...args],
      clientEnv,
    );
    this.#submitter.onMessage((report: SubmitterReport) => this.#receive(report));
    this.#timer = setInterval(() => this.#read(), readEveryMs);
  }

  get ready(): Promise<unknown> {
    return this.#submitter.ready;
  }

  /** The number of different tasks whose handler was called. */
  get begun(): number {
    return this.#follower.began.size;
  }

  /** The time at which the last handler began, as far as it was read. */
  get beganAtMs(): number {
    return this.#follower.beganAtMs;
  }

  #receive(report: SubmitterReport): void {
    if (report.kind === 'failed') this.failures.push(report.message);
    else if (report.kind === 'stopped') this.#stopped.resolve();
    else {
      for (const id of report.ids) {
        this.acknowledged.add(id);
        this.#own.add(id);
      }
    }
  }

  #read(): void {
    this.#follower.read();
    let count = 0;
    for (const id of this.#own) if (this.hasEndedWell(id) || this.cancelled.has(id)) count++;
    this.#submitter.send({ kind: 'ended', count });
  }

  hasEndedWell(id: string): boolean {
    return this.#follower.endedWell.has(id);
  }

  /** Returns the acknowledged tasks whose handler was not called yet, oldest first. */
  unbegun(): string[] {
    this.#follower.read();
    return [...this.acknowledged].filter((id) => !this.#follower.began.has(id));
  }

  /** Stops the submitter. Resolves when all its calls are answered, or after a time. */
  async stop(limitMs: number): Promise<void> {
    this.#submitter.send({ kind: 'stop' });
    const timer = setTimeout(() => {
      this.failures.push('submissions were still not answered at the end');
      this.#stopped.resolve();
    }, limitMs);
    await this.#stopped.promise;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#submitter.kill();
  }
}
