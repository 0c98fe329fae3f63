/** Serves grpc.health.v1. Health calls need no identity: load balancers and orchestrators have no certificate. */
import { create } from '@bufbuild/protobuf';
import type { Server, ServerWritableStream } from '@grpc/grpc-js';
import { HoldfastError } from '../../core/errors.ts';
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from '../gen/health/v1/health_pb.ts';
import { messageParser, messageWriter, type ParseResult } from './parse.ts';
import { statusOf } from './status.ts';

/** The maximum number of open Watch calls of the health service. */
const mostWatchers = 256;

/**
 * The serving state that health checks of this node report. It is the same for the server (the empty service name) and
 * for each gRPC service.
 */
export class ServingState {
  readonly #services: ReadonlySet<string>;
  readonly #listeners = new Set<() => void>();
  #stopped = false;
  #ready = true;

  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  get serving(): boolean {
    return this.#ready && !this.#stopped;
  }

  get services(): ReadonlySet<string> {
    return this.#services;
  }

  /** Makes health checks report NOT_SERVING until the process ends. */
  stop(): void {
    this.#change(() => {
      this.#stopped = true;
    });
  }

  /** Sets whether load balancers should send calls to this node. The node answers calls in both cases. */
  ready(isReady: boolean): void {
    this.#change(() => {
      this.#ready = isReady;
    });
  }

  #change(make: () => void): void {
    const before = this.serving;
    make();
    if (this.serving !== before) for (const notify of [...this.#listeners]) notify();
  }

  of(service: string): HealthCheckResponse {
    const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = HealthCheckResponse_ServingStatus;
    const known = this.#services.has(service);
    const status = known ? (this.serving ? SERVING : NOT_SERVING) : SERVICE_UNKNOWN;
    return create(HealthCheckResponseSchema, { status });
  }

  /**
   * Calls `notify` after each change of the serving state. Returns a function that unsubscribes, or undefined if too
   * many listeners are subscribed already.
   */
  onChange(notify: () => void): (() => void) | undefined {
    if (this.#listeners.size >= mostWatchers) return undefined;
    this.#listeners.add(notify);
    return () => this.#listeners.delete(notify);
  }
}

export function unknownService(name: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', 'BAD_FIELD', `This server has no service '${name}'.`, {
    help: 'Use the empty name, or a name that List returns.',
  });
}

export function addHealth(server: Server, state: ServingState): void {
  const { check, list, watch } = Health.method;
  const path = (method: { readonly name: string }): string => `/${Health.typeName}/${method.name}`;

  server.register<ParseResult<HealthCheckRequest>, HealthCheckResponse>(
    path(check),
    (call: { request: ParseResult<HealthCheckRequest> }, callback: HealthCallback<HealthCheckResponse>) => {
      const { request } = call;
      if (request instanceof HoldfastError) return callback(statusOf(request));
      if (!state.services.has(request.service)) return callback(statusOf(unknownService(request.service)));
      callback(null, state.of(request.service));
    },
    messageWriter(check.output),
    messageParser(check.input),
    'unary',
  );

  server.register(
    path(list),
    (_call: unknown, callback: HealthCallback<unknown>) => {
      const statuses = Object.fromEntries([...state.services].map((name) => [name, state.of(name)]));
      callback(null, create(HealthListResponseSchema, { statuses }));
    },
    messageWriter(list.output) as (value: unknown) => Buffer,
    messageParser(list.input),
    'unary',
  );

  server.register(
    path(watch),
    (call: ServerWritableStream<ParseResult<HealthCheckRequest>, HealthCheckResponse>) => {
      call.on('error', () => {});
      const { request } = call;
      if (request instanceof HoldfastError) return void call.emit('error', statusOf(request));
      const unsubscribe = state.onChange(() => call.write(state.of(request.service)));
      if (unsubscribe === undefined) return void call.emit('error', statusOf(tooMany));
      call.on('cancelled', unsubscribe);
      call.write(state.of(request.service));
    },
    messageWriter(watch.output) as (value: unknown) => Buffer,
    messageParser(watch.input),
    'serverStream',
  );
}

type HealthCallback<T> = (error: ReturnType<typeof statusOf> | null, value?: T) => void;

const tooMany = new HoldfastError(
  'RESOURCE_EXHAUSTED',
  'TOO_MANY_STREAMS',
  `${mostWatchers} clients watch the health of this node already, which is the limit.`,
  {
    help: 'Call Check instead.',
  },
);
