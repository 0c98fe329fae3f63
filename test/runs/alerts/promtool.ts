/** Runs the cases of the alerts by promtool, each as a test of its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ruleFiles } from '../../../scripts/rules/files.ts';
import { burnAlerts } from '../../../src/core/objectives/objectives.ts';
import type { AlertCase, Part } from './cases.ts';

/** How often a case has samples and evaluates the rules, in minutes: long histories less often, so that they take seconds. */
const short = { sample: 0.25, evaluation: 1 } as const;
const long = { sample: 1, evaluation: 5 } as const;
const shortMinutes = 200;

/** Writes samples that are missing; the first of them says that the series has ended. */
function gapText(times: number): string {
  return `stale _x${times}`;
}

/** Writes a gauge in promtool's notation: `2x39` are 40 samples, `_x39` as many without one. */
function gaugeText(parts: readonly Part[], every: number): string {
  return parts
    .map(([minutes, value]) => {
      const times = minutes / every - 1;
      return Number.isNaN(value) ? gapText(times) : `${value}+0x${times}`;
    })
    .join(' ');
}

/** Writes a counter in promtool's notation: `12+1.5x39` rises 39 times from 12 by 1.5. */
function counterText(parts: readonly Part[], every: number): string {
  let value = 0;
  return parts
    .map(([minutes, perMinute]) => {
      if (Number.isNaN(perMinute)) return gapText(minutes / every - 1);
      const rise = perMinute * every;
      const text = `${value}+${rise}x${minutes / every - 1}`;
      value = Number((value + rise * (minutes / every)).toFixed(9));
      return text;
    })
    .join(' ');
}

function testOf(
  { alert, labels = '', counters = {}, gauges = {}, fires }: AlertCase,
  every: number,
): unknown {
  const seriesOf = (all: AlertCase['gauges'] = {}, text: typeof gaugeText) =>
    Object.entries(all).map(([series, parts]) => ({ series, values: text(parts, every) }));
  const selector = [`alertname="${alert}"`, 'alertstate="firing"', ...(labels === '' ? [] : [labels])];
  return {
    interval: `${every * 60}s`,
    input_series: [...seriesOf(counters, counterText), ...seriesOf(gauges, gaugeText)],
    promql_expr_test: fires.map(([minute, isFiring]) => ({
      expr: `count(ALERTS{${selector.join(',')}}) > bool 0`,
      eval_time: `${minute}m`,
      exp_samples: isFiring ? [{ labels: '{}', value: 1 }] : [],
    })),
  };
}

export interface CaseResult {
  readonly failure: string | undefined;
  readonly seconds: number;
}

/** Runs one case with the rules of deploy/observability. Its failure is what promtool printed. */
export function runCase(one: AlertCase): CaseResult {
  const startedMs = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-alerts-'));
  try {
    const isOfObjective = burnAlerts.some(({ name }) => name === one.alert);
    const rules = isOfObjective ? 'objectives.rules.yml' : 'alerts.rules.yml';
    const [, text = ''] = [...ruleFiles()].find(([path]) => path.endsWith(`/${rules}`)) ?? [];
    writeFileSync(join(dir, rules), text);
    const { sample, evaluation } = one.fires.some(([minute]) => minute > shortMinutes) ? long : short;
    const test = {
      rule_files: [rules],
      evaluation_interval: `${evaluation}m`,
      tests: [testOf(one, sample)],
    };
    const file = join(dir, 'test.yml');
    // Every JSON text is YAML.
    writeFileSync(file, JSON.stringify(test));
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    const failure = status === 0 ? undefined : `${stdout}${stderr}`.trim();
    return { failure, seconds: (performance.now() - startedMs) / 1_000 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
