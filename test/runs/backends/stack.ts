/**
 * Starts real back ends of telemetry on free ports of loopback: Jaeger as collector and store of traces, VictoriaLogs and
 * Prometheus. They end with this process, however it ends.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { yamlText } from '../../../scripts/rules/files.ts';
import { type Program, startProgram, until } from '../alerts/programs.ts';
import { jaegerConfig, type PrometheusOptions, prometheusConfig, type StackPorts } from './stack-config.ts';
import { builtTool } from './tools.ts';

export interface Stack extends AsyncDisposable {
  /** The value of OTEL_EXPORTER_OTLP_ENDPOINT: the collector. */
  readonly otlpUrl: string;
  /** Jaeger's API: the value of HOLDFAST_TRACES_URL. */
  readonly tracesUrl: string;
  /** VictoriaLogs: the value of HOLDFAST_LOGS_URL. */
  readonly logsUrl: string;
  /** The value of HOLDFAST_PROMETHEUS_URL. */
  readonly prometheusUrl: string;
  /** A folder for the files of the run, which ends with the stack. */
  readonly dir: string;
  /** Makes Prometheus read these ports of loopback from now on, each with the value of its label `job`. */
  scrape(targets: readonly ScrapeTarget[]): void;
  end(): Promise<void>;
}

export interface ScrapeTarget {
  readonly job: string;
  readonly port: number;
}

interface StackOptions extends Partial<PrometheusOptions> {
  /** The share of the traces without an error, a retry or a long span that the collector keeps. Default: 10. */
  readonly keptPercent?: number;
  /**
   * The ports that Prometheus reads from its start on. It takes 5 s to take over what `scrape` names later, and of a counter that
   * it first reads with a value it knows no increase.
   */
  readonly targets?: readonly ScrapeTarget[];
  /** Gets a line for each program that has to be built first. */
  readonly say: (line: string) => void;
}

/** Returns free ports of loopback, each another one. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function chosenPorts(): Promise<StackPorts> {
  const [otlp, otlpGrpc, jaeger, jaegerGrpc, health, collected, victoriaLogs, prometheus] =
    await freePorts(8);
  return { otlp, otlpGrpc, jaeger, jaegerGrpc, health, collected, victoriaLogs, prometheus } as StackPorts;
}

async function isOk(url: string): Promise<true | undefined> {
  return (await fetch(url)).ok || undefined;
}

/** Builds the back ends if need be, starts them, and waits until all of them are ready. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { say, keptPercent = 10, intervalMs = 500, ruleFiles = [], alertmanagerPort, targets = [] } = options;
  const jaeger = builtTool('jaeger', say);
  const victoriaLogs = builtTool('victoria-logs', say);
  const ports = await chosenPorts();
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-backends-'));
  const targetsFile = join(dir, 'targets.json');
  const write = (name: string, text: string): string => {
    const path = join(dir, name);
    // Prometheus must never read a file of targets in part.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return path;
  };
  const scrape = (targets: readonly ScrapeTarget[]): void => {
    const groups = targets.map(({ job, port }) => ({ targets: [`127.0.0.1:${port}`], labels: { job } }));
    write('targets.json', JSON.stringify(groups));
  };
  scrape(targets);
  const scraping = prometheusConfig(ports, targetsFile, { intervalMs, ruleFiles, alertmanagerPort });
  const commands = [
    [jaeger, '--config', write('jaeger.yml', yamlText(jaegerConfig(ports, keptPercent), ''))],
    [
      victoriaLogs,
      `-httpListenAddr=127.0.0.1:${ports.victoriaLogs}`,
      `-storageDataPath=${join(dir, 'logs')}`,
      '-retentionPeriod=1d',
      '-memory.allowedBytes=64MB',
      '-loggerLevel=WARN',
    ],
    [
      'prometheus',
      `--config.file=${write('prometheus.yml', yamlText(scraping, ''))}`,
      `--storage.tsdb.path=${join(dir, 'metrics')}`,
      `--web.listen-address=127.0.0.1:${ports.prometheus}`,
      '--enable-feature=exemplar-storage',
      '--rules.alert.resend-delay=1s',
    ],
  ];
  const programs: readonly Program[] = commands.map((argv) => startProgram(argv));
  const end = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.end('SIGKILL')));
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  const at = (port: number): string => `http://127.0.0.1:${port}`;
  const ready = [
    ['Jaeger', `${at(ports.health)}/status`],
    ['VictoriaLogs', `${at(ports.victoriaLogs)}/health`],
    ['Prometheus', `${at(ports.prometheus)}/-/ready`],
  ] as const;
  try {
    await Promise.all(ready.map(([name, url]) => until(`${name} is ready`, 20_000, () => isOk(url))));
  } catch (thrown) {
    await end();
    throw thrown;
  }
  return {
    otlpUrl: at(ports.otlp),
    tracesUrl: at(ports.jaeger),
    logsUrl: at(ports.victoriaLogs),
    prometheusUrl: at(ports.prometheus),
    dir,
    scrape,
    end,
    [Symbol.asyncDispose]: end,
  };
}
