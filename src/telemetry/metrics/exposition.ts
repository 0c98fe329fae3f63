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

/** Returns the labels of a series without their braces. An empty value means the same as no label, and is left out. */
function labelsOf(labelNames: readonly string[], values: LabelSet): string {
  return labelNames
    .map((label, i) => [label, values[i] ?? ''] as const)
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label}="${escapeValue(value)}"`)
    .join(',');
}

function histogramText(name: string, labels: string, one: Histogram): string {
  const before = labels === '' ? '' : `${labels},`;
  const braces = labels === '' ? '' : `{${labels}}`;
  let text = '';
  let below = 0;
  for (let i = 0; i < one.bounds.length; i++) {
    below += one.classic[i] ?? 0;
    text += `${name}_bucket{${before}le="${one.bounds[i]}"} ${below}\n`;
  }
  text += `${name}_bucket{${before}le="+Inf"} ${one.count}\n`;
  return `${text}${name}_sum${braces} ${one.sum}\n${name}_count${braces} ${one.count}\n`;
}

/** The texts of all series in their order, each with the lines before it. */
function* textsOf(metrics: readonly CollectedMetric[]): Generator<string> {
  for (const { name, definition, readings, histograms } of metrics) {
    const shown = prometheusName(name, definition);
    const labelNames = labelNamesOf(definition).map((label) => label.replace(/[^A-Za-z0-9_]/g, '_'));
    yield `# HELP ${shown} ${escapeHelp(definition.description)}\n# TYPE ${shown} ${definition.kind}\n`;
    for (const { labels, value } of readings) {
      const text = labelsOf(labelNames, labels);
      yield `${shown}${text === '' ? '' : `{${text}}`} ${value}\n`;
    }
    for (const one of histograms) yield histogramText(shown, labelsOf(labelNames, one.labels), one);
  }
}

/** After so many series other work of the process has its turn: a text of 10 MB takes longer than a call may wait. */
const seriesAtOnce = 200;

/** Returns the metrics as text. `pause` resolves when other work has had its turn. */
export async function prometheusText(
  metrics: readonly CollectedMetric[],
  pause: () => Promise<void> = async () => {},
): Promise<string> {
  const pieces: string[] = [];
  let piece = '';
  let series = 0;
  for (const text of textsOf(metrics)) {
    piece += text;
    series++;
    if (series % seriesAtOnce !== 0) continue;
    pieces.push(piece);
    piece = '';
    await pause();
  }
  pieces.push(piece);
  return pieces.join('');
}
