/** Tests what `npm run test:backends` needs before a program runs: the versions of its tools and the configurations. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { jaegerConfig, prometheusConfig } from './stack-config.ts';
import { goOf, isAtLeast, pathOf } from './tools.ts';

const ports = {
  ...{ otlp: 1, otlpGrpc: 2, jaeger: 3, jaegerGrpc: 4 },
  ...{ health: 5, collected: 6, victoriaLogs: 7, prometheus: 8 },
};

describe('a tool', () => {
  it.each([
    ['jaeger', 'github.com/jaegertracing/jaeger v1.76.0'],
    ['victoria-logs', 'github.com/VictoriaMetrics/VictoriaLogs v1.52.1'],
  ] as const)('is one version, with the sums of all its modules: %s', (name, module) => {
    const folder = new URL(`./go/${name}/`, import.meta.url);
    const [mod, sum] = ['go.mod', 'go.sum'].map((file) => readFileSync(new URL(file, folder), 'utf8'));
    expect(mod).toContain(`\t${module} `);
    expect(sum).toContain(`${module} h1:`);
    expect(goOf(mod ?? '')).toMatch(/^1\.\d+(\.\d+)?$/);
    expect(pathOf(name)).toMatch(new RegExp(`/\\.cache/bin/${name}-[0-9a-f]{12}$`));
  });

  it.each([
    ['go1.26.8', '1.26.5', true],
    ['go1.26.5', '1.26.5', true],
    ['go1.27', '1.26.5', true],
    ['go2.0.1', '1.26', true],
    ['go1.26', '1.26.5', false],
    ['go1.9.7', '1.26.5', false],
  ])('is built by a Go that is new enough: %s for %s: %s', (version, least, isEnough) => {
    expect(isAtLeast(version, least)).toBe(isEnough);
  });
});

interface Pipeline {
  readonly receivers: readonly string[];
  readonly processors?: readonly string[];
  readonly exporters: readonly string[];
}

interface Config {
  readonly service: {
    readonly extensions: readonly string[];
    readonly pipelines: Readonly<Record<string, Pipeline>>;
  };
  readonly [part: string]: unknown;
}

describe('the configuration of Jaeger', () => {
  const config = jaegerConfig(ports, 10) as Config;
  const keys = (part: string): readonly string[] => Object.keys(config[part] as object);

  it('uses every part that it defines, and no other', () => {
    const all = Object.values(config.service.pipelines);
    const used = (part: 'receivers' | 'processors' | 'exporters') => all.flatMap((one) => one[part] ?? []);
    const connectors = keys('connectors');
    const others = (names: readonly string[]) =>
      [...new Set(names)].filter((one) => !connectors.includes(one));
    expect(others(used('receivers')).sort()).toEqual([...keys('receivers')].sort());
    expect(others(used('exporters')).sort()).toEqual([...keys('exporters')].sort());
    expect([...new Set(used('processors'))].sort()).toEqual([...keys('processors')].sort());
    expect([...config.service.extensions].sort()).toEqual([...keys('extensions')].sort());
    for (const name of connectors) {
      expect(used('receivers')).toContain(name);
      expect(used('exporters')).toContain(name);
    }
  });

  it('listens on loopback alone, at a port of its own for each part', () => {
    const endpoints = [...JSON.stringify(config).matchAll(/"endpoint":"([^"]+)"/g)].map(([, one]) => one);
    expect(new Set(endpoints).size).toBe(endpoints.length);
    expect(endpoints.every((one) => /^127\.0\.0\.1:[1-6]$/.test(one ?? ''))).toBe(true);
    expect(endpoints).toHaveLength(6);
  });

  it('makes metrics of the spans that it stores, and of no other', () => {
    const { traces } = config.service.pipelines;
    expect(traces?.processors).toContain('tail_sampling');
    expect(traces?.exporters).toEqual(['jaeger_storage_exporter', 'spanmetrics']);
  });
});

it('Prometheus reads the collector, with the names that processes gave themselves, and the targets of the run', () => {
  const options = { intervalMs: 500, ruleFiles: ['/rules.yml'], alertmanagerPort: 9 };
  expect(prometheusConfig(ports, '/targets.json', options)).toEqual({
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: ['/rules.yml'],
    scrape_configs: [
      { job_name: 'collector', honor_labels: true, static_configs: [{ targets: ['127.0.0.1:6'] }] },
      { job_name: 'holdfast', file_sd_configs: [{ files: ['/targets.json'] }] },
    ],
    alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:9'] }] }] },
  });
});
