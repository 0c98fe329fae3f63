/**
 * An installation of Holdfast as a user has it: a folder with certificates and a store, its servers and its clients.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { initAuthority } from '../../src/certs/authority.ts';
import { type CertificateRequest, issue } from '../../src/certs/issue.ts';
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import type { Transport } from '../../src/client/transport.ts';
import { type Client, connect, defineTask, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';
import { type CommandOptions, type CommandResult, endCommands, runCommand, spawnCommand } from './command.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ServerOptions extends CommandOptions {
  readonly store?: string;
  readonly port?: number;
  readonly tls?: CertificateFiles;
  /** Starts the server with a clock that `Server.setClock` can change. Default: false. */
  readonly clockCanJump?: boolean;
}

export interface Server {
  readonly pid: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly address: string;
  /** Returns the lines that the server has logged until now. */
  lines(): LogLine[];
  /** Opens a transport to the server with the installation's client certificate, or with the given one. */
  transport(tls?: CertificateFiles): Transport;
  client(tls?: CertificateFiles): Client;
  /** Runs `holdfast … --json` against this server. */
  cli(args: readonly string[], tls?: CertificateFiles): Promise<CommandResult>;
  /**
   * Sets the server's clock to this machine's time plus `offsetMs`, and waits until the server uses it. Needs
   * `clockCanJump`.
   */
  setClock(offsetMs: number): Promise<void>;
  /** Sends a signal if the server still runs, and returns its exit status. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const jumpingClock = new URL('./jumping-clock.ts', import.meta.url).pathname;
/** A task type whose acceptance time shows the time of the server's clock. No worker runs tasks of this type. */
const clockProbe = defineTask('clock-probe', { input: typed<null>(), queue: 'clock-probe' });
const closeMs = 3_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export class Site implements AsyncDisposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'holdfast-bad-input-'));
  readonly #servers: Server[] = [];
  readonly #clients: { close(): Promise<void> }[] = [];
  serverFiles!: CertificateFiles;
  clientFiles!: CertificateFiles;

  static async make(): Promise<Site> {
    const site = new Site();
    await initAuthority(site.dir, Date.now());
    site.serverFiles = await site.issue('server', 'server');
    site.clientFiles = await site.issue('alice', 'client');
    return site;
  }

  get store(): string {
    return join(this.dir, 'queue.db');
  }

  issue(
    name: string,
    kind: CertificateRequest['kind'],
    more: Partial<CertificateRequest> = {},
    nowMs = Date.now(),
  ) {
    return issue(this.dir, { name, kind, ...more }, nowMs);
  }

  #serveArgs({ store = this.store, port = 0, tls = this.serverFiles }: ServerOptions): string[] {
    const files = ['--ca', tls.ca, '--cert', tls.cert, '--key', tls.key];
    return ['serve', '--json', '--store', `file:${store}`, '--port', `${port}`, '--http-port', '0', ...files];
  }

  /** Runs a server that is expected not to start. Returns how its process ended. */
  serveExpectingFailure(options: ServerOptions = {}): Promise<CommandResult> {
    return runCommand(this.#serveArgs(options), options);
  }

  async serve(options: ServerOptions = {}): Promise<Server> {
    const offsetFile = join(this.dir, 'clock-offset');
    const jumping = { NODE_OPTIONS: `--import ${jumpingClock}`, CLOCK_OFFSET_FILE: offsetFile };
    const env = { ...options.env, ...(options.clockCanJump === true && jumping) };
    const child = spawnCommand(this.#serveArgs(options), { ...options, env });
    let log = '';
    child.stderr?.on('data', (bytes) => (log += bytes));
    let code: number | null | undefined;
    const exited = once(child, 'exit').then(([status]) => (code = status as number | null));
    const first = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exited]);
    if (!Array.isArray(first)) throw new Error(`the server ended with status ${code}: ${log}`);
    const { grpcPort, httpPort, pid } = JSON.parse(String(first[0]));
    const address = `127.0.0.1:${grpcPort}`;
    const keep = <T extends { close(): Promise<void> }>(client: T): T => {
      this.#clients.push(client);
      return client;
    };
    const server: Server = {
      pid,
      grpcPort,
      httpPort,
      address,
      lines: () => log.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : [])),
      transport: (tls = this.clientFiles) => keep(grpcTransport({ address, tls, clock: systemClock() })),
      client: (tls = this.clientFiles) => keep(connect(`holdfast://${address}`, { tls, log: quiet })),
      cli: (args, tls = this.clientFiles) => runCommand([...args, '--json'], { env: envOf(address, tls) }),
      async setClock(offsetMs) {
        writeFileSync(offsetFile, String(offsetMs));
        child.kill('SIGUSR2');
        const probe = server.client();
        const isClockSet = async () => {
          const { acceptedAt } = await probe.get((await probe.submit(clockProbe, null, { delay: '1d' })).id);
          return Math.abs(acceptedAt.getTime() - Date.now() - offsetMs) < 60_000;
        };
        while (!(await isClockSet()));
      },
      end(signal) {
        if (code === undefined) child.kill(signal);
        return exited;
      },
    };
    this.#servers.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing a client waits for its running handlers. A handler that hangs after a failed test must not keep the
    // server process alive.
    const closed = Promise.all(this.#clients.map((client) => client.close()));
    await Promise.race([closed, sleep(closeMs)]);
    await Promise.all(this.#servers.map((server) => server.end('SIGKILL')));
    endCommands();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function envOf(address: string, { ca, cert, key }: CertificateFiles): Record<string, string> {
  const files = { HOLDFAST_CA: ca, HOLDFAST_CERT: cert, HOLDFAST_KEY: key };
  return { HOLDFAST_URL: `holdfast://${address}`, ...files };
}
