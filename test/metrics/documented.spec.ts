import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { metricsPage } from '../../scripts/metrics-docs.ts';
import { catalogue } from '../../src/telemetry/metrics/catalogue/catalogue.ts';
import type { MetricDefinition } from '../../src/telemetry/metrics/catalogue/metric.ts';

it('docs/metrics.md is the page that `npm run docs:metrics` writes from the catalogue', () => {
  expect(readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')).toBe(metricsPage());
});

it('every metric names the alert, panel, objective or verdict that uses it, and has a description', () => {
  for (const [name, { usedBy, description }] of Object.entries<MetricDefinition>(catalogue)) {
    expect(usedBy, name).toMatch(/^(alert|panel|objective|verdicts?) /);
    expect(description, name).toMatch(/^[A-Z0-9`].*\.$/s);
  }
});
