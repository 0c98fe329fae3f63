/** Writes collected metrics in the text format of Prometheus, version 0.0.4. */
import type { MetricDefinition } from './catalogue/metric.ts';
import { type CollectedMetric, labelNamesOf } from './registry.ts';
import type { Histogram, LabelSet } from './series.ts';

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

const unitWords: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' };

/**
 * Returns the name of a metric as Prometheus wants it: underscores, the unit, and `_total` for a counter. A collector that
 * gets the metric by OTLP makes the same name of it.
 */
export function prometheusName(name: string, { kind, unit }: MetricDefinition): string {
  const word = unit === '1' && kind === 'gauge' ? 'ratio' : unitWords[unit];
  const base = name.replace(/[^A-Za-z0-9_]/g, '_');
  const withUnit = word === undefined || base.endsWith(`_${word}`) ? base : `${base}_${word}`;
  return kind === 'counter' ? `${withUnit}_total` : withUnit;
}

function escapeValue(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

/** Returns the labels of one line. An empty value means the same as no label, and is left out. */
function labelsOf(labelNames: readonly string[], values: LabelSet, extra = ''): string {
  const pairs = labelNames
    .map((label, i) => [label.replace(/[^A-Za-z0-9_]/g, '_'), values[i] ?? ''] as const)
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label}="${escapeValue(value)}"`);
  if (extra !== '') pairs.push(extra);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function* histogramLines(name: string, labelNames: readonly string[], one: Histogram): Generator<string> {
  let below = 0;
  for (const [i, bound] of one.bounds.entries()) {
    below += one.classic[i] ?? 0;
    yield `${name}_bucket${labelsOf(labelNames, one.labels, `le="${bound}"`)} ${below}`;
  }
  yield `${name}_bucket${labelsOf(labelNames, one.labels, 'le="+Inf"')} ${one.count}`;
  yield `${name}_sum${labelsOf(labelNames, one.labels)} ${one.sum}`;
  yield `${name}_count${labelsOf(labelNames, one.labels)} ${one.count}`;
}

function* lines(metrics: readonly CollectedMetric[]): Generator<string> {
  for (const { name, definition, readings, histograms } of metrics) {
    const shown = prometheusName(name, definition);
    const labelNames = labelNamesOf(definition);
    yield `# HELP ${shown} ${escapeHelp(definition.description)}`;
    yield `# TYPE ${shown} ${definition.kind}`;
    for (const { labels, value } of readings) yield `${shown}${labelsOf(labelNames, labels)} ${value}`;
    for (const one of histograms) yield* histogramLines(shown, labelNames, one);
  }
}

export function prometheusText(metrics: readonly CollectedMetric[]): string {
  return `${[...lines(metrics)].join('\n')}\n`;
}
