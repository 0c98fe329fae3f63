/** The fifth question: what an outage of two minutes costs of a budget of 43 minutes, computed and measured. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { yamlText } from '../../../../scripts/rules/files.ts';
import { downtimeOf } from '../../../../src/core/objectives/budget.ts';
import { objectiveOf, slotMs } from '../../../../src/core/objectives/objectives.ts';
import { ensureInstalled, type Program, startProgram, until } from '../../alerts/programs.ts';
import { valuesOf } from '../../backends/searches.ts';
import { freePorts } from '../../backends/stack.ts';
import { Link } from '../../chaos/link.ts';
import { runProgram, startVerb } from '../../telemetry/processes.ts';
import { onSqlite } from '../../telemetry/run.ts';
import type { Evidence, Question } from '../question.ts';

/** The one factor by which the slots and the outage are shorter than in operation. It cancels out: a slot is a slot. */
const factor = 5;
const downtimeMs = 120_000;
const ownSlotMs = slotMs / factor;
const outageMs = downtimeMs / factor;
/** An outage begins and ends within a slot, and the first slot after it may still be late. */
const edgeSlots = 1;
const main = new URL('../../../../src/cli/main.ts', import.meta.url).pathname;
const bad = 'sum(holdfast_canary_slots_total{result!="good"})';

interface Downtime {
  readonly badSlots: { readonly least: number; readonly most: number };
  readonly slots: number;
  readonly budgetMs: number;
  readonly usedPercent: string;
}

async function computed(evidence: Evidence): Promise<void> {
  evidence.act('holdfast slo --downtime 2m');
  evidence.see((await runProgram([main, 'slo', '--downtime', '2m'], {})).trim());
  const downtime = JSON.parse(await runProgram([main, 'slo', '--downtime', '2m', '--json'], {})) as Downtime;
  evidence.seeEqual('used', `${downtime.usedPercent} %`, '4.63 %');
  evidence.expect(downtime.badSlots.most === 12, `${downtime.badSlots.most} slots in place of 12`);
}

function startPrometheus(dir: string, port: number, canaryPort: number): Program {
  const interval = '500ms';
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    scrape_configs: [{ job_name: 'canary', static_configs: [{ targets: [`127.0.0.1:${canaryPort}`] }] }],
  };
  writeFileSync(join(dir, 'prometheus.yml'), yamlText(config, ''));
  return startProgram([
    'prometheus',
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'metrics')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
}

/** Waits for the end of a good slot, which is shortly after its beginning. */
async function afterGoodSlot(canaryPort: number): Promise<void> {
  const count = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${canaryPort}/metrics`)).text();
    return Number(/holdfast_canary_slots_total\{result="good"\} (\d+)/.exec(text)?.[1] ?? 0);
  };
  const before = await count();
  await until('a good slot', 30_000, async () => ((await count()) > before ? true : undefined));
}

async function measured(evidence: Evidence, dir: string): Promise<void> {
  const store = onSqlite();
  const [grpcPort = 0, canaryPort = 0, prometheusPort = 0] = await freePorts(3);
  const link = await Link.open([grpcPort], 0);
  const prometheus = startPrometheus(dir, prometheusPort, canaryPort);
  const prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
  const urls = { prometheusUrl, tracesUrl: '', logsUrl: '' };
  const serve = () =>
    startVerb(['serve', '--plaintext', ...store.args, '--port', `${grpcPort}`, '--http-port', '0'], {
      HOLDFAST_LOG: 'error',
    });
  const running: { end(signal?: 'SIGKILL'): Promise<void> }[] = [];
  try {
    let server = await serve();
    running.push(server);
    const probing = ['--slot', `${ownSlotMs}ms`, '--metrics-port', `${canaryPort}`];
    const canary = await startVerb(['canary', '--url', `holdfast+plaintext://${link.address}`, ...probing], {
      HOLDFAST_LOG: 'fatal',
    });
    running.push(canary);
    const badSlots = async (): Promise<number> => (await valuesOf(urls, bad))[0] ?? 0;
    await until('Prometheus reads the canary', 30_000, async () =>
      (await valuesOf(urls, 'sum(holdfast_canary_slots_total{result="good"})'))[0] ? true : undefined,
    );
    for (let i = 0; i < 3; i++) await afterGoodSlot(canaryPort);
    await sleep(1_500);
    const before = await badSlots();
    await afterGoodSlot(canaryPort);
    // The outage begins shortly before a slot, and ends shortly before another one.
    await sleep(ownSlotMs - 300);
    evidence.act(
      `a server is killed and is away for ${outageMs / 1_000} s, beside a canary with slots of ${ownSlotMs / 1_000} s: both are ${factor} times shorter than 2 min and ${slotMs / 1_000} s`,
    );
    const endAtMs = performance.now() + outageMs;
    link.cut();
    await server.end('SIGKILL');
    await sleep(outageMs / 2);
    server = await serve();
    running.push(server);
    await sleep(Math.max(0, endAtMs - performance.now()));
    link.heal();
    for (let i = 0; i < 2; i++) await afterGoodSlot(canaryPort);
    await sleep(1_500);
    const count = (await badSlots()) - before;
    const { slots, badSlots: exact } = downtimeOf(objectiveOf('api-availability'), downtimeMs);
    const budgetSlots = slots / 1_000;
    const percent = ((100 * count) / budgetSlots).toFixed(2);
    evidence.see(
      `Prometheus: ${count} bad slots of the canary; ${count} of a budget of ${budgetSlots} slots are ${percent} %`,
    );
    evidence.expect(
      Math.abs(count - exact.most) <= edgeSlots,
      `${count} bad slots in place of ${exact.most}, give or take ${edgeSlots} at the edges of the outage`,
    );
  } finally {
    await Promise.all(running.map((one) => one.end('SIGKILL')));
    await prometheus.end('SIGKILL');
    await link.close();
    await store.close();
  }
}

export const errorBudget: Question = {
  number: 5,
  title: 'The budget is 43 minutes a month and the API was down for 2 minutes: how much of it is used?',
  async answer(evidence) {
    await computed(evidence);
    const advice = ensureInstalled(['prometheus']);
    if (advice !== undefined) throw new Error(advice);
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-budget-'));
    try {
      await measured(evidence, dir);
    } finally {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    }
  },
};
