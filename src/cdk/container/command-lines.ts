/** The one place in which the command lines of containers are made. The image's entry point is `holdfast`. */
import type { IHoldfastStore } from '../store/store.ts';

/** The ports of a server's container. */
export const ports = { grpc: 7433, http: 7480, alb: 7434 } as const;

/** The environment variables by which a container gets secrets: an option `env:NAME` reads its file's content there. */
export const secretNames = {
  ca: 'HOLDFAST_CA_PEM',
  cert: 'HOLDFAST_CERT_PEM',
  key: 'HOLDFAST_KEY_PEM',
  policy: 'HOLDFAST_POLICY_JSON',
} as const;

/** Where a process finds its certificates and its policy: paths in the image, or `env:NAME`. */
export interface FilePlaces {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly policy?: string | undefined;
}

function storeOptions({ tableName, queuePrefix }: IHoldfastStore): string[] {
  return ['--engine', 'aws', '--table', tableName, '--queue-prefix', queuePrefix];
}

export function serveCommand(options: {
  readonly store: IHoldfastStore;
  readonly files: FilePlaces;
  /** The networks of the load balancer that ends TLS; undefined if none does. */
  readonly albFrom?: string | undefined;
}): string[] {
  const { store, files, albFrom } = options;
  return [
    ...['serve', ...storeOptions(store), '--host', '0.0.0.0'],
    ...['--port', String(ports.grpc), '--http-port', String(ports.http)],
    ...['--ca', files.ca, '--cert', files.cert, '--key', files.key],
    ...(files.policy === undefined ? [] : ['--policy', files.policy]),
    ...(albFrom === undefined
      ? []
      : ['--alb-port', String(ports.alb), '--alb-from', albFrom, '--alb-protocol', 'tls']),
    ...['--emf', store.metricsNamespace],
  ];
}

/** Registers the queues that CloudFormation has made, in the table. A second run changes nothing. */
export function registerCommands(store: IHoldfastStore): string[][] {
  const byTenant = Map.groupBy(store.queues, ({ tenant = 'default', priorities = ['normal'] }) =>
    [tenant, priorities.join(',')].join(' '),
  );
  return [...byTenant].map(([key, queues]) => {
    const [tenant = '', priorities = ''] = key.split(' ');
    return [
      ...['aws', 'init', '--table', store.tableName, '--queue-prefix', store.queuePrefix],
      ...['--tenant', tenant, '--priorities', priorities],
      ...['--queue', queues.map(({ name }) => name).join(',')],
    ];
  });
}

/** The health check of a server's container, which is also that of the image: it asks `ports.http`, the default. */
export const healthCommand = ['holdfast', 'health'] as const;

export function workerCommand(options: {
  readonly module: string;
  readonly drainSeconds: number;
  readonly metricsNamespace: string;
  /** The store of a worker that polls SQS itself; undefined for a worker of a server. */
  readonly store?: IHoldfastStore | undefined;
  /** True if it protects its task from scale-in while it works. */
  readonly protectsTask: boolean;
}): string[] {
  const { module, drainSeconds, metricsNamespace, store, protectsTask } = options;
  return [
    ...['worker', module, ...(store === undefined ? [] : storeOptions(store))],
    ...['--drain', `${drainSeconds}s`, ...(protectsTask ? ['--protect-task'] : [])],
    ...['--emf', metricsNamespace],
  ];
}

export function canaryCommand(queue: string, metricsNamespace: string): string[] {
  return ['canary', '--queue', queue, '--emf', metricsNamespace];
}

/** The environment of a client: where the server is, and its certificate. */
export function clientEnvironment(url: string, files: FilePlaces): Record<string, string> {
  return { HOLDFAST_URL: url, HOLDFAST_CA: files.ca, HOLDFAST_CERT: files.cert, HOLDFAST_KEY: files.key };
}
