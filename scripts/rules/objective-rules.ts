/** The rules of the objectives, with the names and labels of sloth, so that its dashboards work with them. */
import {
  type BurnAlert,
  burnAlerts,
  type Objective,
  periodMs,
  windowsMs,
} from '../../src/core/objectives/objectives.ts';
import { windowText } from '../../src/core/objectives/window-text.ts';
import { indicatorOf, inputs, type Lengths, windowPlaceholder } from './definition.ts';

export const service = 'holdfast';
const period = windowText(periodMs);

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly Rule[];
}

export interface RuleOptions {
  readonly lengths: Lengths;
  /** Returns the `runbook_url` of an alert. */
  readonly runbook: (alert: string) => string;
}

const idOf = ({ name }: Objective): string => `${service}-${name}`;
const labelsOf = (objective: Objective) => ({
  sloth_id: idOf(objective),
  sloth_service: service,
  sloth_slo: objective.name,
});

function selectorOf(objective: Objective): string {
  const pairs = Object.entries(labelsOf(objective)).map(([label, value]) => `${label}="${value}"`);
  return `{${pairs.join(', ')}}`;
}

/** Returns the target and the budget as short decimals, since `1 - 0.999` is no exact number. */
function sharesOf({ targetPpm }: Objective): { readonly target: string; readonly budget: string } {
  return { target: String(targetPpm / 1_000_000), budget: String((1_000_000 - targetPpm) / 1_000_000) };
}

export function percentOf({ targetPpm }: Objective): number {
  return targetPpm / 10_000;
}

/** Returns the query of the share of bad events, with sloth's placeholder for the window. */
function ratioQuery(objective: Objective): string {
  const indicator = indicatorOf(objective.name);
  if ('ratio' in indicator) return indicator.ratio;
  return `(\n${indicator.errors}\n)\n/\n(\n${indicator.total}\n)`;
}

function recordings(objective: Objective, { lengths }: RuleOptions): RuleGroup {
  const labels = labelsOf(objective);
  const windows = [...new Set(windowsMs)].map((ms) => ({
    record: `slo:sli_error:ratio_rate${windowText(ms)}`,
    expr: ratioQuery(objective).replaceAll(windowPlaceholder, lengths.text(ms)),
    labels: { ...labels, sloth_window: windowText(ms) },
  }));
  const ofFiveMinutes = `slo:sli_error:ratio_rate5m${selectorOf(objective)}[${lengths.text(periodMs)}]`;
  const wholePeriod = {
    record: `slo:sli_error:ratio_rate${period}`,
    expr: `sum_over_time(${ofFiveMinutes})\n/ ignoring (sloth_window)\ncount_over_time(${ofFiveMinutes})`,
    labels: { ...labels, sloth_window: period },
  };
  return { name: `sloth-slo-sli-recordings-${idOf(objective)}`, rules: [...windows, wholePeriod] };
}

function metadata(objective: Objective): RuleGroup {
  const labels = labelsOf(objective);
  const selector = selectorOf(objective);
  const { target, budget } = sharesOf(objective);
  const perBudget = `/ on (sloth_id, sloth_slo, sloth_service) group_left ()\nslo:error_budget:ratio${selector}`;
  const info = {
    sloth_mode: 'holdfast',
    sloth_objective: String(percentOf(objective)),
    sloth_spec: 'prometheus/v1',
  };
  return {
    name: `sloth-slo-meta-recordings-${idOf(objective)}`,
    rules: [
      { record: 'slo:objective:ratio', expr: `vector(${target})`, labels },
      { record: 'slo:error_budget:ratio', expr: `vector(${budget})`, labels },
      { record: 'slo:time_period:days', expr: `vector(${periodMs / 86_400_000})`, labels },
      {
        record: 'slo:current_burn_rate:ratio',
        expr: `slo:sli_error:ratio_rate5m${selector}\n${perBudget}`,
        labels,
      },
      {
        record: 'slo:period_burn_rate:ratio',
        expr: `slo:sli_error:ratio_rate${period}${selector}\n${perBudget}`,
        labels,
      },
      {
        record: 'slo:period_error_budget_remaining:ratio',
        expr: `1 - slo:period_burn_rate:ratio${selector}`,
        labels,
      },
      { record: 'sloth_slo_info', expr: 'vector(1)', labels: { ...labels, ...info } },
    ],
  };
}

function alertRule(objective: Objective, alert: BurnAlert, { runbook }: RuleOptions): Rule {
  const selector = selectorOf(objective);
  const { budget } = sharesOf(objective);
  const burns = (ms: number, factor: number): string =>
    `max(slo:sli_error:ratio_rate${windowText(ms)}${selector} > (${factor} * ${budget})) without (sloth_window)`;
  const conditions = alert.windows.map(
    ({ factor, longMs, shortMs }) => `(\n  ${burns(shortMs, factor)}\n  and\n  ${burns(longMs, factor)}\n)`,
  );
  const lead = alert.windows.map(({ factor }) => factor).join(' or ');
  return {
    alert: alert.name,
    expr: conditions.join('\nor\n'),
    labels: { sloth_id: idOf(objective), sloth_severity: alert.severity, severity: alert.severity },
    annotations: {
      title: `(${alert.severity}) {{$labels.sloth_service}} {{$labels.sloth_slo}}: the error budget burns too fast.`,
      summary: `The error budget of {{$labels.sloth_slo}} burns at least ${lead} times as fast as it may.`,
      description: objective.sentence,
      runbook_url: runbook(alert.name),
    },
  };
}

function alerts(objective: Objective, options: RuleOptions): RuleGroup {
  return {
    name: `sloth-slo-alerts-${idOf(objective)}`,
    rules: burnAlerts.map((alert) => alertRule(objective, alert, options)),
  };
}

/** Returns the group of the series from which the indicators follow. */
export function inputRules({ lengths }: RuleOptions): RuleGroup {
  return { name: 'holdfast-objective-inputs', rules: inputs(lengths) };
}

/** Returns the three groups of rules of an objective, in sloth's order. */
export function objectiveRules(objective: Objective, options: RuleOptions): readonly RuleGroup[] {
  return [recordings(objective, options), metadata(objective), alerts(objective, options)];
}
