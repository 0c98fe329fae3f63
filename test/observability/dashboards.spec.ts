/** Compares the dashboards with their sources, checks every query in them, and compares them with the catalogue of metrics. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardFiles } from '../../scripts/dashboards/files.ts';
import { verdictCodes } from '../../src/core/explain/verdict.ts';
import { catalogue } from '../../src/telemetry/metrics/catalogue/catalogue.ts';
import type { MetricDefinition } from '../../src/telemetry/metrics/catalogue/metric.ts';
import { prometheusName } from '../../src/telemetry/metrics/exposition.ts';
import { knownSeries } from './known-series.ts';
import { logQlOffences, traceQlOffences } from './line-queries.ts';
import { offencesOf } from './offences.ts';
import { usesOf } from './promql.ts';
import { type Yaml, yamlOf } from './stack-files.ts';

interface ShownPanel {
  /** The panel as the catalogue of metrics names it: `Queues: depth`. */
  readonly name: string;
  readonly type: string;
  readonly targets: readonly { readonly source: string; readonly text: string }[];
}

const files = dashboardFiles();
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const shown: readonly Yaml[] = [...files.keys()].map((path) => JSON.parse(read(path)));

/** Puts values in place of Grafana's variables, since no query language knows them. */
function substituted(text: string): string {
  return text.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+_price/g, '0.5');
}

const panels: readonly ShownPanel[] = shown.flatMap((dashboard) =>
  dashboard.panels.map((panel: Yaml) => ({
    name: `${dashboard.title.replace('Holdfast: ', '')}: ${panel.title[0].toLowerCase()}${panel.title.slice(1)}`,
    type: panel.type,
    targets: panel.targets.map(({ datasource, expr, query }: Yaml) => ({
      source: datasource.type,
      text: substituted(expr ?? query),
    })),
  })),
);

const textsOf = (source: string) =>
  panels.flatMap(({ name, targets }) =>
    targets.flatMap((target) => (target.source === source ? [{ name, text: target.text }] : [])),
  );

/** Returns the names of the metrics whose series a PromQL text reads. */
function metricsIn(promql: string): readonly string[] {
  const series = new Set(usesOf(promql).series.map(({ name }) => name.replace(/_(bucket|count|sum)$/, '')));
  return Object.entries<MetricDefinition>(catalogue).flatMap(([name, definition]) =>
    series.has(prometheusName(name, definition)) ? [name] : [],
  );
}

describe('the dashboards of deploy/observability', () => {
  it.each([...files.keys()])('are those that `npm run dashboards` makes: %s', (path) => {
    expect(read(path), 'run `npm run dashboards` and commit its files').toBe(files.get(path));
  });

  it('have names, uids and titles of panels of their own', () => {
    expect(new Set(shown.map(({ uid }) => uid)).size).toBe(shown.length);
    expect(new Set(panels.map(({ name }) => name)).size).toBe(panels.length);
  });

  it('have PromQL with series, labels and values that exist', () => {
    const known = knownSeries();
    const texts = textsOf('prometheus');
    expect(texts.length).toBeGreaterThan(50);
    expect(
      texts.flatMap(({ name, text }) => offencesOf(text, known).map((one) => `${name}: ${one}`)),
    ).toEqual([]);
  });

  it('have LogQL with labels and fields that exist, and TraceQL with attributes that exist', () => {
    const ofLines = textsOf('loki');
    expect(ofLines.length).toBeGreaterThan(1);
    expect(ofLines.flatMap(({ name, text }) => logQlOffences(text).map((one) => `${name}: ${one}`))).toEqual(
      [],
    );
    // The panel of one trace is given its id.
    const ofSpans = textsOf('tempo').filter(({ text }) => text !== '$trace');
    expect(ofSpans.length).toBeGreaterThan(0);
    expect(
      ofSpans.flatMap(({ name, text }) => traceQlOffences(text).map((one) => `${name}: ${one}`)),
    ).toEqual([]);
  });

  it('use the data sources that Grafana is given, and only variables that they have', () => {
    const sources = yamlOf('grafana/provisioning/datasources/holdfast.yml').datasources;
    const uids = sources.map(({ uid, type }: Yaml) => `${type} ${uid}`);
    const used = shown.flatMap(({ panels: all }) =>
      all.flatMap(({ datasource, targets }: Yaml) =>
        [datasource, ...targets.map((target: Yaml) => target.datasource)].map(
          ({ uid, type }) => `${type} ${uid}`,
        ),
      ),
    );
    expect(new Set(used).difference(new Set(uids))).toEqual(new Set());
    for (const { panels: all, templating, title } of shown) {
      const named = [...JSON.stringify(all).matchAll(/\$(\w+)/g)].map(([, name]) => name);
      const own = (templating?.list ?? []).map(({ name }: Yaml) => name);
      expect(new Set(named).difference(new Set(['__rate_interval', ...own])), title).toEqual(new Set());
      expect(new Set(own).difference(new Set(named)), title).toEqual(new Set());
    }
  });

  it('have panels that neither overlap nor leave the grid', () => {
    for (const { title, panels: all } of shown) {
      const places = all.map(({ gridPos }: Yaml) => gridPos);
      for (const [i, { x, y, w, h }] of places.entries()) {
        expect(x + w, title).toBeLessThanOrEqual(24);
        const overlaps = places
          .slice(i + 1)
          .filter(
            (other: Yaml) =>
              x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h,
          );
        expect(overlaps, title).toEqual([]);
      }
    }
  });
});

describe('the catalogue of metrics', () => {
  const named = Object.entries<MetricDefinition>(catalogue).flatMap(([metric, { usedBy }]) =>
    usedBy
      .split('; ')
      .filter((use) => use.startsWith('panel '))
      .map((use) => `${metric} in ${use.slice('panel '.length)}`),
  );

  it('names each panel that shows a metric, and no panel that does not show it', () => {
    const shownIn = textsOf('prometheus').flatMap(({ name, text }) =>
      metricsIn(text).map((metric) => `${metric} in ${name}`),
    );
    expect([...new Set(shownIn)].toSorted()).toEqual(named.toSorted());
    expect(named.length).toBeGreaterThan(40);
  });

  it('names verdicts that exist', () => {
    const codes: readonly (string | undefined)[] = verdictCodes;
    for (const [metric, { usedBy }] of Object.entries<MetricDefinition>(catalogue)) {
      const verdicts = usedBy
        .split('; ')
        .flatMap((use) => /^verdicts? (.*)/.exec(use)?.[1]?.split(', ') ?? []);
      expect(
        verdicts.filter((code) => !codes.includes(code)),
        metric,
      ).toEqual([]);
    }
  });
});

describe('the check of LogQL and TraceQL', () => {
  it('finds wrong syntax, labels, fields and attributes that do not exist, and unknown processes and causes', () => {
    expect(logQlOffences('{')).toEqual([expect.stringContaining('no LogQL')]);
    expect(logQlOffences('')).toEqual([expect.stringContaining('no LogQL')]);
    expect(logQlOffences('{app="a"} | queue="mail"')).toEqual(['no stream has the label app']);
    expect(logQlOffences('{service_name="shop"}')).toEqual(['no process has the name shop']);
    expect(logQlOffences('{service_name="holdfast-server"} | taskid="1"')).toEqual([
      'no line has the field taskid',
    ]);
    expect(logQlOffences('sum by (host) (count_over_time({service_name=~".+"}[1h]))')).toEqual([
      'no line has the field host',
    ]);
    expect(logQlOffences('{service_name=~".+"} | cause=~"NO_WORKER|LAZY"')).toEqual([
      'no line has the cause LAZY',
    ]);
    expect(traceQlOffences('{ span.holdfast.task.id = }')).toEqual([expect.stringContaining('no TraceQL')]);
    expect(traceQlOffences('{ span.holdfast.id = "1" && status = error }')).toEqual([
      'no span has holdfast.id',
    ]);
    expect(traceQlOffences('{ .holdfast.state = "dead" }')).toEqual([
      'holdfast.state stands without span. or resource.',
    ]);
    expect(traceQlOffences('{ resource.holdfast.state = "dead" }')).toEqual([
      'no resource has holdfast.state',
    ]);
  });
});
