/** Makes the JSON of Grafana of a dashboard, with the builders of Grafana's Foundation SDK. */
import {
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  PanelBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as LogsBuilder } from '@grafana/grafana-foundation-sdk/logs';
import { DataqueryBuilder as LokiBuilder } from '@grafana/grafana-foundation-sdk/loki';
import { DataqueryBuilder as PrometheusBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { SearchTableType, DataqueryBuilder as TempoBuilder } from '@grafana/grafana-foundation-sdk/tempo';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Dashboard, Panel, PanelKind, Query, Variable } from './definition.ts';

/** The data sources, by the uids that deploy/observability/grafana/provisioning/datasources gives them. */
const sources = {
  prometheus: { type: 'prometheus', uid: 'prometheus' },
  tempo: { type: 'tempo', uid: 'tempo' },
  loki: { type: 'loki', uid: 'loki' },
} as const;

type Builder = LinesBuilder | StatBuilder | TableBuilder | LogsBuilder | PanelBuilder;

const builders: Readonly<Record<PanelKind, () => Builder>> = {
  lines: () => new LinesBuilder().fillOpacity(5).spanNulls(false),
  numbers: () => new StatBuilder(),
  table: () => new TableBuilder(),
  trace: () => new PanelBuilder().type('traces'),
  logs: () => new LogsBuilder().showTime(true).wrapLogMessage(true),
};

function target(query: Query, refId: string, kind: PanelKind) {
  if ('promql' in query) {
    const built = new PrometheusBuilder()
      .expr(query.promql)
      .legendFormat(query.legend)
      .datasource(sources.prometheus)
      .refId(refId);
    if (kind === 'numbers') built.instant();
    else built.range();
    return query.exemplars ? built.exemplar(true) : built;
  }
  if ('logql' in query)
    return new LokiBuilder().expr(query.logql).datasource(sources.loki).refId(refId).maxLines(1_000);
  return new TempoBuilder()
    .query(query.traceql)
    .queryType('traceql')
    .tableType(SearchTableType.Spans)
    .limit(100)
    .datasource(sources.tempo)
    .refId(refId);
}

const width = 24;
const height = 8;

function placed(panel: Panel, id: number, at: { readonly x: number; readonly y: number }): Builder {
  const { title, description, kind = 'lines', unit, queries } = panel;
  const [first] = queries;
  const source =
    first && 'promql' in first
      ? sources.prometheus
      : first && 'logql' in first
        ? sources.loki
        : sources.tempo;
  const builder = builders[kind]();
  builder
    .id(id)
    .title(title)
    .datasource(source)
    .gridPos({ ...at, w: panel.isWide ? width : width / 2, h: height });
  if (description !== undefined) builder.description(description);
  if (unit !== undefined) builder.unit(unit);
  for (const [i, query] of queries.entries())
    builder.withTarget(target(query, String.fromCharCode(65 + i), kind));
  return builder;
}

function variable(one: Variable) {
  if ('text' in one) return new TextBoxVariableBuilder(one.name).label(one.label).defaultValue(one.text);
  return new QueryVariableBuilder(one.name)
    .label(one.label)
    .datasource(sources.prometheus)
    .query(`label_values(${one.series}, ${one.name})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}

/** Returns the file name of a dashboard without its ending, which is also the end of its uid. */
export function slugOf({ name }: Dashboard): string {
  return name.toLowerCase();
}

export function grafanaDashboard(dashboard: Dashboard): unknown {
  const built = new DashboardBuilder(`Holdfast: ${dashboard.name}`)
    .uid(`holdfast-${slugOf(dashboard)}`)
    .description(dashboard.description)
    .tags(['holdfast'])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .link(
      new DashboardLinkBuilder('Holdfast')
        .type(DashboardLinkType.Dashboards)
        .tags(['holdfast'])
        .asDropdown(true)
        .keepTime(true),
    );
  for (const one of dashboard.variables ?? []) built.withVariable(variable(one));
  let [x, y] = [0, 0];
  for (const [i, panel] of dashboard.panels.entries()) {
    const w = panel.isWide ? width : width / 2;
    if (x + w > width) [x, y] = [0, y + height];
    built.withPanel(placed(panel, i + 1, { x, y }));
    x += w;
  }
  return built.build();
}
