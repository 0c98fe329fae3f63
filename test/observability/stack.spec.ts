/** Checks the files of the stack: that their parts refer to each other rightly, and that the programs that are here accept them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { operationalGroups, standardOptions } from '../../scripts/rules/files.ts';
import { burnAlerts } from '../../src/core/objectives/objectives.ts';
import { knownSeries } from './known-series.ts';
import { logQlOffences } from './line-queries.ts';
import { offencesOf } from './offences.ts';
import {
  collectorConfig,
  exists,
  pathsOf,
  stackFolder,
  storeNames,
  textsOf,
  type Yaml,
  yamlOf,
} from './stack-files.ts';

const compose = yamlOf('compose.yml');
const services: readonly (readonly [string, Yaml])[] = Object.entries(compose.services);

/** The mounts of a service: a path of this folder or the name of a volume, and where the container has it. */
function mountsOf(service: Yaml): readonly { readonly from: string; readonly to: string }[] {
  return (service.volumes ?? []).map((text: string) => {
    const [from = '', to = ''] = text.split(':');
    return { from, to };
  });
}

/** Every file of YAML here, but those that are rules. */
const configs = pathsOf('**/*.yml').filter((path) => !path.startsWith('rules/') && !path.includes('sloth'));

describe('compose.yml', () => {
  it.each(services)('has an exact version, a limit of memory and a restart for %s', (_name, service) => {
    expect(service.image).toMatch(/^[a-z][a-z/-]+:v?\d+\.\d+\.\d+$/);
    expect(service.mem_limit).toMatch(/^\d+[mg]$/);
    expect(service.restart).toBe('unless-stopped');
    expect(service.logging.options['max-size']).toBeDefined();
  });

  it('publishes ports on the loopback interface alone, each once', () => {
    const ports: string[] = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.filter((port) => !/^127\.0\.0\.1:(\d+):\1$/.test(port))).toEqual([]);
    expect(new Set(ports).size).toBe(ports.length);
    expect(ports.length).toBeGreaterThan(6);
  });

  it('mounts files that exist, read-only, and volumes that it declares and uses', () => {
    const mounts = services.flatMap(([, service]) => mountsOf(service));
    const files = mounts.filter(({ from }) => from.startsWith('./'));
    expect(files.filter(({ from }) => !exists(from))).toEqual([]);
    const named = mounts.filter(({ from }) => !from.startsWith('./')).map(({ from }) => from);
    expect(named.toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
    const written = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((text: string) => text.startsWith('./') && !text.endsWith(':ro')),
    );
    expect(written).toEqual([]);
  });

  it.each(services)('gives %s only files that its mounts have', (_name, service) => {
    const mounts = mountsOf(service);
    const used = textsOf([service.command ?? [], service.environment ?? {}])
      .map((text) => text.replace(/^--?[a-z.]+=/, ''))
      .filter((text) => text.startsWith('/') && text.includes('.'));
    for (const path of used) {
      const mount = mounts.find(({ to }) => path === to || path.startsWith(`${to}/`));
      expect(mount, path).toBeDefined();
      for (const stores of storeNames) {
        const own = path.replace(/\$\{COMPOSE_PROFILES:-[a-z-]+\}/, stores);
        expect(exists(`${mount?.from}${own.slice(mount?.to.length)}`), own).toBe(true);
      }
    }
  });

  it('asks every service for its health, by its own image or by a probe that has the same profile', () => {
    const probes = services.filter(([name]) => name.startsWith('probe'));
    for (const [name, { profiles, healthcheck }] of services.filter(([one]) => !one.startsWith('probe'))) {
      const asking = probes.filter(([, probe]) =>
        textsOf(probe.healthcheck.test).some((text) => text.includes(`http://${name}:`)),
      );
      const own = healthcheck === undefined ? asking.map(([, probe]) => probe.profiles) : [profiles];
      expect(own, name).toEqual([profiles]);
    }
  });

  it('has a profile for each choice of stores, and the first one is the default', () => {
    const profiles = services.flatMap(([, service]) => service.profiles ?? []);
    expect(new Set(profiles)).toEqual(new Set(storeNames));
    expect(readFileSync(`${stackFolder}.env`, 'utf8')).toContain(`\nCOMPOSE_PROFILES=${storeNames[0]}\n`);
  });

  it('has a service for each host that the files name', () => {
    const known = new Set([
      ...services.map(([name]) => name),
      'host.docker.internal',
      '127.0.0.1',
      '0.0.0.0',
    ]);
    const hosts = configs.flatMap((path) =>
      textsOf(yamlOf(path)).flatMap((text) => {
        const [, host] = /^(?:https?:\/\/)?([a-z][a-z0-9.-]*|\d+(?:\.\d+){3}):\d+(?:\/|$)/.exec(text) ?? [];
        return host === undefined ? [] : [host];
      }),
    );
    expect(hosts.length).toBeGreaterThan(15);
    expect(hosts.filter((host) => !known.has(host))).toEqual([]);
  });
});

describe.each(storeNames)('the configuration of the Collector with %s', (stores) => {
  const config = collectorConfig(stores);
  const pipelines: readonly (readonly [string, Yaml])[] = Object.entries(config.service.pipelines);
  const kinds = ['receivers', 'processors', 'exporters'] as const;

  it('has pipelines of components that are defined, and no other components', () => {
    for (const kind of kinds) {
      const used = pipelines.flatMap(([, pipeline]) => pipeline[kind]);
      const defined = Object.keys({
        ...config[kind],
        ...(kind === 'processors' ? {} : config.connectors),
      });
      expect(new Set(used), kind).toEqual(new Set(defined));
    }
    expect(config.service.extensions).toEqual(Object.keys(config.extensions));
  });

  it('limits its memory first and batches last in each pipeline, below the limit of its container', () => {
    for (const [name, { processors }] of pipelines)
      expect([processors[0], processors.at(-1)], name).toEqual(['memory_limiter', 'batch']);
    const { limit_mib } = config.processors.memory_limiter;
    expect(limit_mib).toBeLessThan(Number.parseInt(compose.services.collector.mem_limit, 10));
  });

  it('keeps traces that failed, were tried again, died, were slow or waited, and makes exemplars of kept traces alone', () => {
    const { policies } = config.processors.tail_sampling;
    const names = policies.map(({ name }: Yaml) => name);
    expect(names).toEqual(['errors', 'dead', 'slow', 'late', 'retries', 'rest']);
    const { processors, exporters } = config.service.pipelines.traces;
    expect(processors).toContain('tail_sampling');
    expect(exporters).toContain('spanmetrics');
  });

  it('flushes exemplars no more often than Prometheus reads them', () => {
    const { scrape_interval } = yamlOf('prometheus.yml').global;
    const flush = Number.parseInt(config.connectors.spanmetrics.metrics_flush_interval, 10);
    expect(flush).toBeGreaterThanOrEqual(Number.parseInt(scrape_interval, 10));
  });
});

it('the configuration of Jaeger has a pipeline of components that are defined', () => {
  const { service, receivers, processors, exporters, extensions } = yamlOf('jaeger.yml');
  const { traces } = service.pipelines;
  expect(traces).toEqual({
    receivers: Object.keys(receivers),
    processors: Object.keys(processors),
    exporters: Object.keys(exporters),
  });
  expect(service.extensions.toSorted()).toEqual(Object.keys(extensions).toSorted());
});

describe('prometheus.yml', () => {
  const config = yamlOf('prometheus.yml');

  it('loads every file of rules, and has a file of targets for servers, workers and the canary', () => {
    expect(config.rule_files.flatMap(pathsOf).toSorted()).toEqual(pathsOf('rules/*.yml').toSorted());
    const { file_sd_configs } = config.scrape_configs.find(({ job_name }: Yaml) => job_name === 'holdfast');
    const targets = file_sd_configs.flatMap(({ files }: Yaml) => files.flatMap(pathsOf));
    expect(targets).toEqual(['targets/holdfast.yml']);
    expect(yamlOf('targets/holdfast.yml')[0].targets).toHaveLength(3);
  });

  it('is accepted by promtool, if promtool is installed', () => {
    expect(checked('promtool', ['check', 'config', `${stackFolder}prometheus.yml`])).toBe('');
  });
});

describe('alertmanager.yml', () => {
  const file = `${stackFolder}alertmanager.yml`;
  const { route, receivers, inhibit_rules } = yamlOf('alertmanager.yml');

  it('has receivers for its routes, and names alerts that exist', () => {
    const names = receivers.map(({ name }: Yaml) => name);
    const used = [route.receiver, ...route.routes.map(({ receiver }: Yaml) => receiver)];
    expect(new Set(used)).toEqual(new Set(names));
    const alerts = [
      ...burnAlerts.map(({ name }) => name),
      ...operationalGroups(standardOptions).flatMap(({ rules }) => rules.map(({ alert }) => alert)),
    ];
    const named = textsOf(inhibit_rules).flatMap((text) => /^alertname="(\w+)"$/.exec(text)?.[1] ?? []);
    expect(named).toHaveLength(4);
    expect(named.filter((name) => !alerts.includes(name))).toEqual([]);
  });

  it('is accepted by amtool, which sends pages and tickets to their receivers, if amtool is installed', () => {
    expect(checked('amtool', ['check-config', file])).toBe('');
    for (const severity of ['page', 'ticket']) {
      const { error, stdout } = spawnSync(
        'amtool',
        ['config', 'routes', 'test', `--config.file=${file}`, `severity=${severity}`],
        { encoding: 'utf8' },
      );
      expect(error === undefined ? stdout.trim() : severity).toBe(severity);
    }
  });
});

describe('the data sources of Grafana', () => {
  const { datasources } = yamlOf('grafana/provisioning/datasources/holdfast.yml');
  const of = (uid: string): Yaml => datasources.find((source: Yaml) => source.uid === uid)?.jsonData;

  it('lead from spans to lines, from lines to traces and from exemplars to traces', () => {
    expect(of('tempo').tracesToLogsV2.datasourceUid).toBe('loki');
    expect(of('loki').derivedFields[0]).toMatchObject({ datasourceUid: 'tempo', matcherRegex: 'trace_id' });
    expect(of('prometheus').exemplarTraceIdDestinations).toEqual([
      { name: 'trace_id', datasourceUid: 'tempo' },
    ]);
    expect(of('tempo').tracesToMetrics.datasourceUid).toBe('prometheus');
  });

  it('have queries with series, labels and fields that exist', () => {
    const { tracesToLogsV2, tracesToMetrics } = of('tempo');
    expect(logQlOffences(tracesToLogsV2.query.replaceAll('$$', '$'))).toEqual([]);
    const [{ value: label }] = tracesToMetrics.tags;
    for (const { query } of tracesToMetrics.queries)
      expect(offencesOf(query.replace('$$__tags', `${label}="mail"`), knownSeries())).toEqual([]);
  });

  it('are given dashboards from the folder that compose.yml mounts', () => {
    const [{ options }] = yamlOf('grafana/provisioning/dashboards/holdfast.yml').providers;
    expect(mountsOf(compose.services.grafana)).toContainEqual({
      from: './grafana/dashboards',
      to: options.path,
    });
  });
});

/** Returns what a program that is installed says against its input; empty if nothing, or if it is not installed. */
function checked(program: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return error !== undefined || status === 0 ? '' : `${stdout}${stderr}`;
}
