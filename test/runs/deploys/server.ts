/** A server process of `npm run deploys`, which is restarted on one port. */
import { DeployProcess, command as ownCommand } from './deploy-process.ts';
import type { Stop } from './run-process.ts';

/** The time after SIGTERM after which a supervisor kills a process that has not ended, as `docker stop` does. */
export const serverGraceMs = 10_000;

export interface ServerSetup {
  readonly name: string;
  readonly port: number;
  /** The arguments of `holdfast serve`, beside its ports. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The path of the command `holdfast`. Default: that of this tree. */
  readonly command?: string;
}

export class Server {
  readonly setup: ServerSetup;
  #process: DeployProcess | undefined;
  #expected = false;
  /** The number of times that the server ended without a signal of the run. */
  endedByItself = 0;

  constructor(setup: ServerSetup) {
    this.setup = setup;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** The exit status of the last process, or the signal that ended it. Null while it lives. */
  get status(): number | NodeJS.Signals | null {
    return this.#process?.status ?? null;
  }

  async start(): Promise<void> {
    const { name, port, args, env, command = ownCommand } = this.setup;
    const ports = ['--port', String(port), '--http-port', '0'];
    const process = new DeployProcess(name, [command, 'serve', '--json', ...ports, ...args], env);
    this.#process = process;
    this.#expected = false;
    void process.ended.then(() => {
      if (!this.#expected) this.endedByItself++;
    });
    await process.ready;
  }

  /**
   * Starts a server that is to refuse its store. Returns its error after it has ended, which is no end by itself, or undefined
   * if it serves.
   */
  async refusal(): Promise<string | undefined> {
    const starting = this.start();
    this.#expected = true;
    const refused = await starting.then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (refused === undefined) this.#expected = false;
    else await this.#process?.ended;
    return refused;
  }

  /** Stops the server by SIGTERM. */
  async stop(): Promise<Stop> {
    this.#expected = true;
    return (await this.#process?.stop(serverGraceMs)) ?? { ms: 0, inTime: true };
  }

  async kill(): Promise<void> {
    this.#expected = true;
    await this.#process?.kill();
  }
}
