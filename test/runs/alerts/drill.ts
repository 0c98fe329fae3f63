/**
 * The live drill: a real server with a real canary, read by a real Prometheus whose alerts go over a real Alertmanager to
 * a webhook in this process. The server is stopped and started again, and FastBudgetBurn must fire and resolve.
 *
 * All lengths in the rules are shortened by one factor, 60: an hour is a minute, five minutes are five seconds. Slots have
 * half a second, so that a window has enough of them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { yamlText } from '../../../scripts/rules/files.ts';
import { ofLanguage, pages } from '../../observability/runbook-pages.ts';
import { shortenedObjectives, startAlertmanager, startReceiver } from './alerting.ts';
import { type Program, startProgram, until } from './programs.ts';

const slot = '500ms';
/** How long all is good before the outage. */
const goodMs = 20_000;
const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;

export interface DrillTimes {
  /** From the stop of the server until the webhook got the alert. */
  readonly firedMs: number;
  /** How long the server was away. */
  readonly outageMs: number;
  /** From when the server was back until the webhook got the end of the alert. */
  readonly resolvedMs: number;
  /** The output of `holdfast slo` while the alert fired. */
  readonly standing: string;
  /** How many PromQL texts of the runbooks Prometheus evaluated, and the errors of those that it refused. */
  readonly queries: { readonly count: number; readonly errors: readonly string[] };
}

async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configure(dir: string, ports: Readonly<Record<'alertmanager' | 'canary', number>>): void {
  writeFileSync(join(dir, 'rules.yml'), shortenedObjectives());
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: [join(dir, 'rules.yml')],
    scrape_configs: [{ job_name: 'canary', static_configs: [{ targets: [`127.0.0.1:${ports.canary}`] }] }],
    alerting: {
      alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${ports.alertmanager}`] }] }],
    },
  };
  writeFileSync(join(dir, 'prometheus.yml'), yamlText(config, ''));
}

async function answers(url: string): Promise<true | undefined> {
  return (await fetch(url)).ok ? true : undefined;
}

/** Runs the drill; `say` gets a line for each step. */
export async function runDrill(say: (line: string) => void): Promise<DrillTimes> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-drill-'));
  const programs = new Set<Program>();
  const start = (argv: readonly string[], env?: Readonly<Record<string, string>>): Program => {
    const program = startProgram(argv, env);
    programs.add(program);
    return program;
  };
  const webhook = await startReceiver();
  try {
    const [grpc, http, canary, prometheus, alertmanager] = await Promise.all(
      Array.from({ length: 5 }, freePort),
    );
    if (canary === undefined || alertmanager === undefined) throw new Error('no free port');
    configure(dir, { alertmanager, canary });
    const store = `file:${join(dir, 'queue.db')}`;
    const serving = [
      '--plaintext',
      '--store',
      store,
      '--port',
      `${grpc}`,
      '--http-port',
      `${http}`,
      '--json',
    ];
    const serve = async (): Promise<Program> => {
      const server = start([process.execPath, main, 'serve', ...serving], { HOLDFAST_LOG: 'error' });
      await until('the server serves', 15_000, async () => server.out().includes('grpcPort') || undefined);
      return server;
    };
    let server = await serve();
    const url = `holdfast+plaintext://127.0.0.1:${grpc}`;
    const probing = ['canary', '--url', url, '--slot', slot, '--metrics-port', `${canary}`];
    start([process.execPath, main, ...probing], { HOLDFAST_LOG: 'error' });
    await until('the canary has a good slot', 15_000, async () => {
      const text = await (await fetch(`http://127.0.0.1:${canary}/metrics`)).text();
      return /result="good"\} [1-9]/.test(text) || undefined;
    });
    startAlertmanager(dir, alertmanager, webhook.port, start);
    start([
      'prometheus',
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${prometheus}`,
      '--rules.alert.resend-delay=1s',
    ]);
    const base = `http://127.0.0.1:${prometheus}`;
    await until('Prometheus is ready', 15_000, () => answers(`${base}/-/ready`));
    await until('Alertmanager is ready', 15_000, () => answers(`http://127.0.0.1:${alertmanager}/-/ready`));
    say(`Prometheus, Alertmanager, a server and its canary run; ${goodMs / 1_000} s without a fault`);
    await sleep(goodMs);
    await until('FastBudgetBurn does not fire', 45_000, async () =>
      (await firing(base)) === 0 ? true : undefined,
    );
    const ofApi = () =>
      webhook.notices.filter(
        ({ labels }) => labels.alertname === 'FastBudgetBurn' && labels.sloth_slo === 'api-availability',
      );
    const settled = ofApi().length;

    const stoppedMs = performance.now();
    await server.end();
    programs.delete(server);
    say('the server is stopped');
    const noticeOf = (status: string, sinceMs: number) => async () =>
      ofApi()
        .slice(settled)
        .find((one) => one.status === status && one.atMs > sinceMs);
    const fired = await until('FastBudgetBurn fires', 30_000, noticeOf('firing', stoppedMs));
    say(`the webhook got "firing" after ${seconds(fired.atMs - stoppedMs)}`);
    const standing = printedStanding(base);
    const queries = await runRunbookQueries(base);

    server = await serve();
    const backMs = performance.now();
    say(`the server is back after ${seconds(backMs - stoppedMs)}`);
    const resolved = await until('FastBudgetBurn resolves', 60_000, noticeOf('resolved', backMs));
    say(`the webhook got "resolved" ${seconds(resolved.atMs - backMs)} later`);
    return {
      firedMs: fired.atMs - stoppedMs,
      outageMs: backMs - stoppedMs,
      resolvedMs: resolved.atMs - backMs,
      standing,
      queries,
    };
  } finally {
    await Promise.all([...programs].map((program) => program.end('SIGKILL')));
    webhook.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function firing(base: string): Promise<number> {
  const query = 'count(ALERTS{alertname="FastBudgetBurn",alertstate="firing"}) or vector(0)';
  const answer = await fetch(`${base}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(data.result[0]?.value[1]);
}

/** Evaluates every PromQL text of the runbooks, which the parser of the tests knows by its syntax alone. */
async function runRunbookQueries(base: string): Promise<DrillTimes['queries']> {
  const texts = pages.flatMap((page) => ofLanguage(page, 'promql'));
  const errors: string[] = [];
  for (const query of texts) {
    const answer = await fetch(`${base}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    });
    const { status, error } = (await answer.json()) as { status: string; error?: string };
    if (status !== 'success') errors.push(`${query}: ${error}`);
  }
  return { count: texts.length, errors };
}

/** Runs `holdfast slo` against this Prometheus and returns what it prints. */
function printedStanding(base: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, [main, 'slo', '--prometheus', base], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  return `${stdout}${stderr}`.trimEnd();
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
