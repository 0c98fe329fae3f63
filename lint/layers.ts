/**
 * The table of which folder of src/ may import which. `npm run layers` writes the lint rules from it (lint/layers.json,
 * which biome.json extends), and test/architecture.spec.ts proves each rule by an import that breaks it.
 */
export interface Layer {
  /** The folder of the layer, below src/. */
  readonly folder: string;
  /**
   * The other layers that this layer may import; a path names one part of a layer. `all` means every layer but
   * `testing`, `testkit`, `web`, `cdk` and the layers above this one.
   */
  readonly may: readonly string[] | 'all';
  /** The message of the lint error for an import that is not allowed. */
  readonly message: string;
}

export const layers: readonly Layer[] = [
  {
    folder: 'core',
    may: [],
    message: 'core imports no other folder of src/: it is pure, and every other layer depends on it.',
  },
  { folder: 'ports', may: ['core'], message: 'ports may import core only.' },
  { folder: 'service', may: ['core', 'ports'], message: 'service may import core and ports only.' },
  {
    folder: 'runtime',
    may: ['core', 'ports', 'service'],
    message: 'runtime may import core, ports and service only.',
  },
  {
    folder: 'telemetry',
    may: ['core', 'ports', 'platform'],
    message: 'telemetry wraps the ports: it may import core, ports and platform only.',
  },
  { folder: 'platform', may: ['core', 'ports'], message: 'platform may import core and ports only.' },
  {
    folder: 'engines/memory',
    may: ['core', 'ports'],
    message: 'An engine may import core and ports only, never another engine.',
  },
  {
    folder: 'engines/sqlite',
    may: ['core', 'ports'],
    message: 'An engine may import core and ports only, never another engine.',
  },
  {
    folder: 'engines/aws',
    may: ['core', 'ports'],
    message: 'An engine may import core and ports only, never another engine.',
  },
  {
    folder: 'rpc',
    may: ['core', 'ports', 'service', 'tls'],
    message: 'rpc may import core, ports, service and tls only.',
  },
  {
    folder: 'client',
    may: [
      ...['core', 'tls', 'rpc/gen'],
      ...['ports/clock.ts', 'ports/metrics.ts', 'ports/tracing.ts', 'ports/trace-names.ts'],
    ],
    message:
      'client may import core, tls, the ports clock, metrics, tracing and trace-names, and rpc/gen only.',
  },
  {
    folder: 'remote',
    may: [
      ...['core', 'client'],
      ...['platform/clock.ts', 'platform/log/line-log.ts', 'platform/presence.ts', 'platform/version.ts'],
      'telemetry/traces/otel-tracing.ts',
    ],
    message:
      'remote, the entries holdfast/client and holdfast/worker, may import core, client, the clock, line log, presence and version of platform, and the tracing only.',
  },
  {
    folder: 'tls',
    may: ['core', 'ports/clock.ts', 'ports/log.ts'],
    message: 'tls may import core, ports/clock.ts and ports/log.ts only.',
  },
  { folder: 'certs', may: ['core', 'tls'], message: 'certs may import core and tls only.' },
  {
    folder: 'cdk',
    may: [
      'core',
      'engines/aws/policies.ts',
      'engines/aws/broker/sqs/definition.ts',
      'engines/aws/table/schema/definition.ts',
      'telemetry/metrics/emf/names.ts',
    ],
    message:
      'cdk may import core, the definitions and policies of engines/aws, and the names of the EMF metrics only.',
  },
  {
    folder: 'testkit',
    may: [
      ...['core', 'ports', 'platform', 'client', 'service', 'runtime', 'rpc/api', 'engines/memory'],
      ...['testing', 'node/in-process.ts'],
    ],
    message:
      'testkit may import the parts of a node in memory (core, ports, platform, client, service, runtime, rpc/api, engines/memory, node/in-process.ts) and testing only.',
  },
  {
    folder: 'web',
    may: ['core', 'client', 'ports/clock.ts', 'platform/clock.ts'],
    message: 'web may import core, client, ports/clock.ts and platform/clock.ts only.',
  },
  { folder: 'cli', may: 'all', message: 'cli may import everything but testing, testkit, web and cdk.' },
  {
    folder: 'node',
    may: 'all',
    message: 'node, the composition root, may import everything but testing, testkit, web, cdk and cli.',
  },
  {
    folder: 'testing',
    may: 'all',
    message: 'testing may import everything but testkit, web, cdk, cli and node.',
  },
];

/** The layers that a bundle of `holdfast/client` holds, besides the few files of `platform` that `remote` may import. */
const inBundles: ReadonlySet<string> = new Set(['core', 'client', 'remote', 'tls']);

/**
 * The packages that no file of such a layer may import, as patterns: a bundle of a client must not hold a server, an engine
 * or the AWS SDK. test/client-graph.spec.ts has the packages that the whole graph may hold.
 */
const notInBundles: readonly string[] = [
  ...['pino', '@aws-sdk/**', '@smithy/**', 'zod', 'zod/**', '@connectrpc/**', 'commander'],
  ...['@commander-js/**', '@opentelemetry/sdk-*', '@opentelemetry/exporter-*', 'node:sqlite'],
];

export const bundleMessage =
  'This file is in the bundles of holdfast/client: no server, engine, pino or AWS SDK in it (docs/bundling.md).';

/** Returns the patterns of the packages that a layer may not import. */
export function packagesDeniedTo({ folder }: Layer): readonly string[] {
  return inBundles.has(folder) ? notInBundles : [];
}

/**
 * The layers that no other layer may import by `may: 'all'`: `testing` is for tests, `testkit` and `web` are entries of the
 * package, and `cdk` needs packages that a user of the SDK or the server does not install.
 */
const byNameOnly: ReadonlySet<string> = new Set(['testing', 'testkit', 'web', 'cdk']);

/** The layers above each layer. A layer with `may: 'all'` may not import the layers above it. */
const above: Readonly<Record<string, readonly string[]>> = { node: ['cli'], testing: ['cli', 'node'] };

/** Whether a file may import another file. Both are paths below src/. */
export function mayImport(from: string, to: string): boolean {
  const layer = layerOf(from);
  const target = layerOf(to);
  if (layer === undefined || layer === target) return true;
  if (target === undefined) return false;
  if (layer.may === 'all')
    return !byNameOnly.has(target.folder) && !above[layer.folder]?.includes(target.folder);
  return layer.may.some((allowed) => to === allowed || to.startsWith(`${allowed}/`));
}

export function layerOf(path: string): Layer | undefined {
  return layers.find(({ folder }) => path.startsWith(`${folder}/`));
}

/** Returns the folders that a layer may not import, and the parts of those folders that it may import. */
export function deniedTo({ folder, may }: Layer): { readonly folders: string[]; readonly parts: string[] } {
  const allowed = may === 'all' ? [] : may;
  const isDenied = (target: string): boolean =>
    target !== folder && !mayImport(`${folder}/a.ts`, `${target}/a.ts`);
  return {
    folders: layers.map((one) => one.folder).filter(isDenied),
    parts: allowed.filter((part) => !layers.some((one) => one.folder === part)),
  };
}
