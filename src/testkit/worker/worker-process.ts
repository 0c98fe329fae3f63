import type { Client } from '../../client/client.ts';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import { createClient } from '../../client/create-client.ts';
import type { Logger } from '../../client/log.ts';
import type { Outgoing, Transport } from '../../client/transport.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ProcessClock } from '../../testing/process-clock.ts';
import { Attempts, type AttemptsOptions } from './attempts.ts';

export interface WorkerProcessOptions extends AttemptsOptions {
  readonly spec: WorkerSpec;
  readonly clock: ProcessClock;
  readonly log: Logger | undefined;
  readonly connect: (clock: Clock) => Transport;
}

/** The worker of a kit as a process of its own, which can crash. */
export class WorkerProcess {
  readonly attempts: Attempts;
  readonly #clock: ProcessClock;
  readonly #transport: Transport;
  readonly #client: Client;
  #isDead = false;

  private constructor(options: WorkerProcessOptions) {
    const { clock, connect } = options;
    const log = options.log === undefined ? undefined : this.#whileAlive(options.log);
    this.attempts = new Attempts(options);
    this.#clock = clock;
    this.#transport = connect(clock);
    this.#client = createClient(this.#severable(this.#transport), {
      ...{ clock, log, beginsAtOnce: true, retryFor: 0, workerName: 'test-kit' },
    });
  }

  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    const started = new WorkerProcess(options);
    const { spec } = options;
    await started.#client.work({ ...spec, use: [started.attempts.middleware, ...spec.use] });
    return started;
  }

  /** Ends the process as SIGKILL does: it reports nothing any more, and its leases expire. */
  async kill(): Promise<void> {
    this.#isDead = true;
    this.#clock.kill();
    await this.#transport.close();
  }

  close(): Promise<void> {
    return this.#isDead ? Promise.resolve() : this.#client.close();
  }

  /** Returns a logger that writes nothing once the process is dead. */
  #whileAlive(log: Logger): Logger {
    const at =
      (level: keyof Logger): Logger[keyof Logger] =>
      (...line: readonly unknown[]) => {
        if (!this.#isDead) (log[level] as (...line: readonly unknown[]) => void)(...line);
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  /** Returns a transport that reaches nobody once the process is dead: its handlers may still run. */
  #severable(transport: Transport): Transport {
    const open = <T>(reach: () => T, dead: T): T => (this.#isDead ? dead : reach());
    const unanswered = new Promise<never>(() => {});
    return {
      submit: (batch, options) => open(() => transport.submit(batch, options), unanswered),
      call: (method, request, options) => open(() => transport.call(method, request, options), unanswered),
      watch: (request, options) => open(() => transport.watch(request, options), silentUpdates),
      work: (events) => open(() => transport.work(events), silentStream),
      report: (events) => open(() => transport.report(events), silentStream),
      close: () => transport.close(),
    };
  }
}

const silentStream: Outgoing<unknown> = {
  send: () => true,
  drained: () => Promise.resolve(),
  end() {},
  abort() {},
};

const silentUpdates: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
};
