/** One drill: a site runs well, a fault is injected, an alert fires, and an investigator names a cause. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { factor, type Notice, shortenedRules, startAlertmanager, startReceiver } from '../alerts/alerting.ts';
import { until } from '../alerts/programs.ts';
import type { WebhookBody } from '../alerts/webhook-body.ts';
import { freePorts, type Stack, startStack } from '../backends/stack.ts';
import type { Cause } from './causes.ts';
import { injectors } from './injectors/injectors.ts';
import { type Findings, runInvestigator } from './run-investigator.ts';
import { Site } from './site.ts';
import { stepText } from './text.ts';

/** The interval at which Prometheus reads metrics: a busy machine answers within it. */
const intervalMs = 1_000;
/** How long nothing must fire before a fault is injected. */
const quietMs = 8_000;
const quietLimitMs = 75_000;
/** A ticket about slots that were late while the processes began lasts for minutes: from then on the drill goes on with it. */
const ticketMs = 20_000;
/** How long the processes may warm up before Prometheus reads the first counts. */
const warmUpMs = 2_000;
/** How long an alert may take after the fault. */
const alertLimitMs = 60_000;
/** How long a site without a fault must run without an alert. */
const faultlessMs = 30_000;

export interface Drill extends Findings {
  /** The body of the webhook that the investigator was given. */
  readonly body: WebhookBody;
  /** The name of the alert that fired first; undefined if none did. */
  readonly alert: string | undefined;
  /** From the fault until the webhook got the alert. */
  readonly firedMs: number;
  readonly seconds: number;
}

const isFiring = ({ status }: Notice): boolean => status === 'firing';

/** Returns the names of the alerts that are pending or fire. */
async function active({ prometheusUrl }: Stack): Promise<readonly string[]> {
  const answer = await fetch(`${prometheusUrl}/api/v1/alerts`);
  const { data } = (await answer.json()) as { data: { alerts: { labels: Record<string, string> }[] } };
  return data.alerts.map(({ labels }) => labels.alertname ?? '');
}

/** Waits until no alert has been pending or has fired for some seconds. */
async function untilQuiet(stack: Stack): Promise<void> {
  const startMs = performance.now();
  let [quietFromMs, last] = [startMs, ''];
  const endMs = startMs + quietLimitMs;
  while (performance.now() - quietFromMs < quietMs) {
    const isEarly = performance.now() - startMs < ticketMs;
    const names = (await active(stack)).filter((name) => isEarly || name !== 'SlowBudgetBurn');
    if (names.length > 0) [quietFromMs, last] = [performance.now(), names.join(', ')];
    if (performance.now() > endMs) throw new NotQuiet(`without a fault, ${last} did not end`);
    await sleep(250);
  }
}

/** The site was not well before the fault, as on a machine that is too busy. Nothing was injected. */
class NotQuiet extends Error {}

/** Runs the drill of a cause, or one without a fault. A site that is not well before the fault is set up once more. */
export async function runDrill(cause: Cause | undefined, say: (line: string) => void): Promise<Drill> {
  try {
    return await runOnce(cause, say);
  } catch (thrown) {
    if (!(thrown instanceof NotQuiet)) throw thrown;
    say(`${thrown.message}; the site is set up once more`);
    return runOnce(cause, say);
  }
}

/** An alert that ended before anybody looked: the webhook of a page that was late. */
const pastAlert: WebhookBody = {
  alerts: [
    {
      status: 'firing',
      startsAt: new Date().toISOString(),
      labels: { alertname: 'FastBudgetBurn', sloth_slo: 'api-availability' },
      annotations: { runbook_url: 'docs/runbooks/fast-budget-burn.md' },
    },
  ],
};

async function runOnce(cause: Cause | undefined, say: (line: string) => void): Promise<Drill> {
  const startedMs = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-drill-'));
  const webhook = await startReceiver();
  const [alertmanagerPort] = (await freePorts(1)) as [number];
  const rules = join(dir, 'rules.yml');
  writeFileSync(rules, shortenedRules());
  const alertmanager = startAlertmanager(dir, alertmanagerPort, webhook.port);
  try {
    await using stack = await startStack({
      say,
      ruleFiles: [rules],
      alertmanagerPort,
      keptPercent: 50,
      intervalMs,
    });
    const injector = cause === undefined ? undefined : injectors[cause];
    const site = await Site.open(injector?.store ?? 'file', stack);
    try {
      await sleep(warmUpMs);
      stack.scrape(site.targets);
      await untilQuiet(stack);
      const before = await active(stack);
      const but = before.length === 0 ? '' : ` but ${before.join(', ')}, which is older`;
      say(`the site runs, and no alert has fired for ${quietMs / 1_000} s${but}`);
      const settled = webhook.notices.length;
      const faultMs = performance.now();
      const fresh = (): Notice | undefined => webhook.notices.slice(settled).find(isFiring);
      await injector?.inject(site);
      if (injector === undefined) await sleep(faultlessMs);
      else await until('an alert', alertLimitMs, async () => fresh());
      const notice = fresh();
      const alert = notice?.labels.alertname;
      const firedMs = (notice?.atMs ?? faultMs) - faultMs;
      say(alert === undefined ? 'no alert' : `${alert} fires after ${(firedMs / 1_000).toFixed(1)} s`);
      const body = notice?.body ?? pastAlert;
      const findings = await runInvestigator(
        {
          stack,
          address: site.link.address,
          operator: site.operatorFiles,
          alert: body,
          factor,
        },
        (step) => {
          for (const line of stepText(step)) say(line);
        },
      );
      return { ...findings, body, alert, firedMs, seconds: (performance.now() - startedMs) / 1_000 };
    } finally {
      await site.close();
    }
  } finally {
    await alertmanager.end('SIGKILL');
    webhook.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
