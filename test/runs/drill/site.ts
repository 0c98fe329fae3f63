/**
 * The installation of a drill: a server over mutual TLS behind a link as behind a load balancer, two workers of the SDK, the
 * canary and a load, each a process. Injectors act in its parts.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import type { ScrapeTarget, Stack } from '../backends/stack.ts';
import { freePorts } from '../backends/stack.ts';
import { Link } from '../chaos/link.ts';
import { runProgram } from '../telemetry/processes.ts';
import { pricesVariable } from './contract.ts';
import { DrillProcess } from './drill-process.ts';
import type { LoadMessage } from './load-process.ts';
import { type Prices, startPrices } from './prices.ts';
import { type DrillStore, openStore, type StoreKind } from './stores.ts';

type Environment = Readonly<Record<string, string>>;

const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;
const command = pathOf('../../../src/cli/main.ts');
const workerCount = 2;
/** The names of the certificates. */
const server = 'server';
const application = 'application';
const operator = 'operator';
const dayMs = 86_400_000;
/** The length of a slot of the canary: long enough that a busy machine makes few of them late. */
const slot = '2s';

/** The environment with which the command finds the server. */
export function environmentOf(address: string, { ca, cert, key }: CertificateFiles): Environment {
  return {
    HOLDFAST_URL: `holdfast://${address}`,
    HOLDFAST_CA: ca,
    HOLDFAST_CERT: cert,
    HOLDFAST_KEY: key,
  };
}

export class Site {
  readonly store: DrillStore;
  readonly prices: Prices;
  readonly link: Link;
  /** An operator's certificate, in a folder of its own. */
  readonly operatorFiles: CertificateFiles;
  /** The ports at which its processes show their metrics. */
  readonly targets: readonly ScrapeTarget[];
  readonly #dir: string;
  readonly #ports: readonly number[];
  readonly #exporting: Environment;
  readonly #client: Environment;
  readonly #workers: DrillProcess[] = [];
  #server: DrillProcess | undefined;
  #canary: DrillProcess | undefined;
  #load: DrillProcess | undefined;

  private constructor(
    dir: string,
    parts: Pick<Site, 'store' | 'prices' | 'link' | 'operatorFiles'>,
    ports: readonly number[],
    exporting: Environment,
    applicationFiles: CertificateFiles,
  ) {
    this.#dir = dir;
    this.store = parts.store;
    this.prices = parts.prices;
    this.link = parts.link;
    this.operatorFiles = parts.operatorFiles;
    this.#ports = ports;
    this.#exporting = exporting;
    this.#client = environmentOf(this.link.address, applicationFiles);
    const jobs = ['holdfast-server', 'holdfast-canary', 'holdfast-worker', 'holdfast-worker'];
    this.targets = jobs.map((job, i) => ({ job, port: ports[i + 1] as number }));
  }

  static async open(kind: StoreKind, stack: Stack): Promise<Site> {
    const dir = join(stack.dir, 'site');
    const operatorDir = join(stack.dir, operator);
    for (const one of [dir, operatorDir]) mkdirSync(one);
    const nowMs = Date.now();
    await initAuthority(dir, nowMs);
    await issue(dir, { name: server, kind: 'server' }, nowMs);
    const applicationFiles = await issue(dir, { name: application, kind: 'client' }, nowMs);
    const issued = await issue(dir, { name: operator, kind: 'client' }, nowMs);
    const moved = (file: string): string => {
      const copy = join(operatorDir, file.slice(dir.length + 1));
      copyFileSync(file, copy);
      return copy;
    };
    const operatorFiles = { ca: moved(issued.ca), cert: moved(issued.cert), key: moved(issued.key) };
    // One port of the API, and one of the metrics of each process.
    const ports = await freePorts(3 + workerCount);
    const [store, prices, link] = await Promise.all([
      openStore(kind, dir),
      startPrices(),
      Link.open([ports[0] as number], 0),
    ]);
    const exporting = {
      OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlpUrl,
      OTEL_LOGS_EXPORTER: 'otlp',
      // Prometheus reads the processes themselves.
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '200',
      HOLDFAST_LOG: 'info',
    };
    const site = new Site(dir, { store, prices, link, operatorFiles }, ports, exporting, applicationFiles);
    try {
      await site.#start();
      return site;
    } catch (thrown) {
      await site.close();
      throw thrown;
    }
  }

  async #start(): Promise<void> {
    await this.startServer();
    const metrics = (i: number): string[] => ['--metrics-port', String(this.#ports[i])];
    const probing = [command, 'canary', '--json', '--slot', slot, ...metrics(2)];
    this.#canary = this.#launch('canary', probing, this.#client);
    this.#startWorkers('./worker-module.ts', 1);
    await Promise.all([this.#canary, ...this.#workers].map((one) => one.ready));
    this.#load = this.#launch('load', [pathOf('./load-process.ts')], this.#client);
    await this.#load.ready;
  }

  #launch(name: string, args: readonly string[], env: Environment): DrillProcess {
    return new DrillProcess(this.#dir, name, args, { ...this.#exporting, ...env });
  }

  async startServer(): Promise<void> {
    const file = (ending: string): string => join(this.#dir, ending);
    const tls = ['--ca', file('ca.crt'), '--cert', file(`${server}.crt`), '--key', file(`${server}.key`)];
    const [port, metricsPort] = this.#ports;
    const ports = ['--port', `${port}`, '--http-port', '0', '--metrics-port', `${metricsPort}`];
    const args = [command, 'serve', '--json', ...ports, ...tls, ...this.store.args];
    this.#server = this.#launch('server', args, this.store.env);
    await this.#server.ready;
  }

  /** Ends the server at once, as a machine that fails does. */
  async killServer(): Promise<void> {
    await this.#server?.kill();
  }

  #startWorkers(module: string, version: number): void {
    for (let i = 0; i < workerCount; i++) {
      const args = [
        command,
        'worker',
        '--json',
        '--metrics-port',
        String(this.#ports[3 + i]),
        pathOf(module),
      ];
      const env = {
        ...this.#client,
        [pricesVariable]: this.prices.url,
        OTEL_RESOURCE_ATTRIBUTES: `service.version=${version}`,
      };
      this.#workers.push(this.#launch(`worker-${version}-${i}`, args, env));
    }
  }

  /** Replaces the workers by those of another version, as a deploy does. */
  async deployWorkers(module: string, version: number): Promise<void> {
    const stopped = this.#workers.splice(0);
    await Promise.all(stopped.map((worker) => worker.stop(5_000)));
    this.#startWorkers(module, version);
    await Promise.all(this.#workers.map((worker) => worker.ready));
  }

  /** Makes the server's certificate one that expires after this time. The server reads it by itself. */
  async issueServer(validMs: number): Promise<void> {
    await issue(this.#dir, { name: server, kind: 'server', days: 1 }, Date.now() - dayMs + validMs);
  }

  changeLoad(message: LoadMessage): void {
    this.#load?.send(message);
  }

  /** Runs a verb of the command as an application of the site does. */
  async holdfast(...args: readonly string[]): Promise<void> {
    await runProgram([command, ...args], { ...this.#client, HOLDFAST_LOG: 'fatal' });
  }

  async close(): Promise<void> {
    const processes = [this.#load, this.#canary, ...this.#workers, this.#server];
    await Promise.all(processes.map((one) => one?.kill()));
    this.prices.close();
    await this.link.close();
    await this.store.close();
  }
}
