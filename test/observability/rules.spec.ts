/** Compares the files of rules with their definition, and checks every PromQL text in them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { windowPlaceholder } from '../../scripts/rules/definition.ts';
import { ruleFiles } from '../../scripts/rules/files.ts';
import type { Rule, RuleGroup } from '../../scripts/rules/objective-rules.ts';
import { standingQuery } from '../../src/cli/slo/standing.ts';
import { objectives, windowsMs } from '../../src/core/objectives/objectives.ts';
import { catalogue } from '../../src/telemetry/metrics/catalogue/catalogue.ts';
import type { MetricDefinition } from '../../src/telemetry/metrics/catalogue/metric.ts';
import { prometheusName } from '../../src/telemetry/metrics/exposition.ts';
import { knownSeries } from './known-series.ts';
import { offencesOf } from './offences.ts';

const files = ruleFiles();
const textOf = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const groups = [...files]
  .filter(([path]) => path.includes('/rules/'))
  .flatMap(([path]) => (parse(textOf(path)) as { groups: RuleGroup[] }).groups);
const rules: readonly Rule[] = groups.flatMap((group) => group.rules);

describe('the rules of deploy/observability', () => {
  it.each([...files.keys()])('are those that `npm run rules` makes: %s', (path) => {
    expect(textOf(path), 'run `npm run rules` and commit its files').toBe(files.get(path));
  });

  it('have PromQL with series, labels and values that exist', () => {
    const known = knownSeries();
    expect(rules.length).toBeGreaterThan(50);
    const found = rules.flatMap(({ record, alert, expr }) =>
      offencesOf(expr, known).map((offence) => `${record ?? alert}: ${offence}`),
    );
    expect(found).toEqual([]);
  });

  it('have the names and labels of sloth for each objective', () => {
    for (const { name } of objectives) {
      const own = rules.filter(({ labels }) => labels?.sloth_slo === name);
      const windows = own.flatMap(({ record, labels }) =>
        record?.startsWith('slo:sli_error:') ? [[record, labels?.sloth_window]] : [],
      );
      expect(new Set(windows.map(([record]) => record)).size).toBe(new Set(windowsMs).size + 1);
      for (const [record, window] of windows) expect(record).toBe(`slo:sli_error:ratio_rate${window}`);
      expect(own.map(({ record }) => record)).toEqual(
        expect.arrayContaining([
          'slo:objective:ratio',
          'slo:error_budget:ratio',
          'slo:time_period:days',
          'slo:current_burn_rate:ratio',
          'slo:period_burn_rate:ratio',
          'slo:period_error_budget_remaining:ratio',
          'sloth_slo_info',
        ]),
      );
      expect(new Set(own.map(({ labels }) => `${labels?.sloth_id} ${labels?.sloth_service}`))).toEqual(
        new Set([`holdfast-${name} holdfast`]),
      );
    }
  });

  it('have alerts with a severity, a sentence, a runbook and a name in docs/objectives.md each', () => {
    const alerts = rules.filter(({ alert }) => alert !== undefined);
    const documented = textOf('docs/objectives.md');
    expect(alerts.length).toBeGreaterThan(0);
    for (const { alert, labels, annotations } of alerts) {
      expect(documented).toContain(`\`${alert}\``);
      expect(['page', 'ticket'], alert).toContain(labels?.severity);
      expect(annotations?.summary, alert).toMatch(/\.$|: \{\{ \$labels\.cause \}\}\.$/);
      expect(annotations?.runbook_url, alert).toMatch(/^docs\/runbooks\/[a-z-]+\.md$/);
    }
  });

  it('are the same for sloth: its specification has every indicator of the rules', async () => {
    const known = knownSeries();
    const specification = parse(textOf('deploy/observability/holdfast.sloth.yml'));
    expect(specification).toMatchObject({ version: 'prometheus/v1', service: 'holdfast' });
    expect(specification.slos.map(({ name }: { name: string }) => name)).toEqual(
      objectives.map(({ name }) => name),
    );
    for (const { name, sli } of specification.slos) {
      const texts: string[] = Object.values(sli.raw ?? sli.events);
      const record = rules.find(
        (rule) => rule.record === 'slo:sli_error:ratio_rate1h' && rule.labels?.sloth_slo === name,
      );
      for (const text of texts) {
        const ofOneHour = text.replaceAll(windowPlaceholder, '1h');
        expect(offencesOf(ofOneHour, known)).toEqual([]);
        expect(record?.expr).toContain(ofOneHour);
      }
    }
  });
});

describe('the check of PromQL', () => {
  it('finds wrong syntax, unknown series, unknown labels and values that a series never has', async () => {
    const known = knownSeries();
    expect(offencesOf('sum(', known)).toEqual([expect.stringContaining('no PromQL')]);
    expect(offencesOf('', known)).toEqual([expect.stringContaining('no PromQL')]);
    expect(offencesOf('rate(holdfast_nothing_total[5m])', known)).toEqual([
      'holdfast_nothing_total is no known series',
    ]);
    expect(offencesOf('holdfast_store_size_bytes{queue="a"}', known)).toEqual([
      'holdfast_store_size_bytes has no label queue',
    ]);
    expect(offencesOf('holdfast_queue_unserved{cause="lazy"}', known)).toEqual([
      'holdfast_queue_unserved never has cause lazy',
    ]);
    expect(offencesOf('holdfast_task_wait_duration_seconds_bucket{le=~"5|6"}', known)).toEqual([
      'holdfast_task_wait_duration_seconds_bucket never has le 6',
    ]);
    expect(offencesOf('sum by (worker) (holdfast_queue_tasks)', known)).toEqual([
      'groups by worker, which no series of it has',
    ]);
  });

  it('accepts the query of `holdfast slo`', async () => {
    const names = [...knownSeries().keys()];
    const [, pattern = ''] = /__name__=~"([^"]+)"/.exec(standingQuery) ?? [];
    const found = names.filter((name) => new RegExp(`^(?:${pattern})$`).test(name));
    expect(found).toHaveLength(new Set(windowsMs).size + 2);
  });
});

/** Returns the rules that a metric names as an alert or an objective, `alert X` or `objective Y`. */
function namedIn(usedBy: string): readonly string[] {
  return usedBy.split('; ').filter((one) => /^(alert|objective) /.test(one));
}

/** Returns the alerts and the objectives whose rules name a series. */
function usesOf(series: string): readonly string[] {
  const found = rules.filter(({ expr }) => expr.includes(series));
  const alerts = found.flatMap(({ alert }) => (alert === undefined ? [] : [`alert ${alert}`]));
  const names = found.flatMap(({ labels }) =>
    labels?.sloth_slo === undefined ? [] : [`objective ${labels.sloth_slo.replaceAll('-', ' ')}`],
  );
  return [...new Set([...alerts, ...names])];
}

it('each metric of the catalogue names the alerts and the objectives whose rules use it, and no other', () => {
  const wrong = Object.entries<MetricDefinition>(catalogue).flatMap(([name, definition]) => {
    const uses = usesOf(prometheusName(name, definition)).toSorted();
    const named = namedIn(definition.usedBy).toSorted();
    return uses.join() === named.join() ? [] : [`${name}: named ${named.join()}, used by ${uses.join()}`];
  });
  expect(wrong).toEqual([]);
});
