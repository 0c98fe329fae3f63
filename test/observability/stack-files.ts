/** Reads the files of deploy/observability. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const stackFolder = fileURLToPath(new URL('../../deploy/observability/', import.meta.url));

export const exists = (path: string): boolean => existsSync(`${stackFolder}${path}`);

export const pathsOf = (pattern: string): readonly string[] => globSync(pattern, { cwd: stackFolder });

// biome-ignore lint/suspicious/noExplicitAny: the files have the forms of other programs, which their own checks know.
export type Yaml = any;

/** Returns a file of YAML. Keys that stand twice are an error. */
export function yamlOf(path: string): Yaml {
  return parse(readFileSync(`${stackFolder}${path}`, 'utf8'), { merge: true });
}

/** The stores between which a user chooses, by the names of their profiles. */
export const storeNames = ['tempo-loki', 'jaeger-victorialogs'] as const;

/** Returns the configuration of the Collector as it merges its two files: maps are merged, lists are replaced. */
export function collectorConfig(stores: (typeof storeNames)[number]): Yaml {
  return merged(yamlOf('collector/collector.yml'), yamlOf(`collector/${stores}.yml`));
}

function merged(one: Yaml, other: Yaml): Yaml {
  if (!isMap(one) || !isMap(other)) return other;
  const both = Object.keys(other).map((key) => [key, key in one ? merged(one[key], other[key]) : other[key]]);
  return { ...one, ...Object.fromEntries(both) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns every text within a value, also those of keys. */
export function textsOf(value: Yaml): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return isMap(value) ? Object.entries(value).flatMap(([key, one]) => [key, ...textsOf(one)]) : [];
}
