/** grpc.health.v1. Whoever asks needs no identity: load balancers and orchestrators have none. */
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
import { messageParser, messageWriter, type Parsed } from './parse.ts';
import { statusOf } from './status.ts';

const watchers = 256;

/** Whether this node takes calls; one answer for the server (the empty name) and each of its services. */
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

  /** For good. */
  stop(): void {
    this.#change(() => {
      this.#stopped = true;
    });
  }

  /** Whether it would do well what it is asked for; it goes on answering calls meanwhile. */
  ready(isReady: boolean): void {
    this.#change(() => {
      this.#ready = isReady;
    });
  }

  #change(make: () => void): void {
    const before = this.serving;
    make();
    if (this.serving !== before) for (const tell of [...this.#listeners]) tell();
  }

  of(service: string): HealthCheckResponse {
    const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = HealthCheckResponse_ServingStatus;
    const known = this.#services.has(service);
    const status = known ? (this.serving ? SERVING : NOT_SERVING) : SERVICE_UNKNOWN;
    return create(HealthCheckResponseSchema, { status });
  }

  /** Undefined: enough are listening. */
  listen(tell: () => void): (() => void) | undefined {
    if (this.#listeners.size >= watchers) return undefined;
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }
}

export function unknownService(name: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', 'BAD_FIELD', `This server has no service '${name}'.`, {
    help: 'Ask for the empty name, or one that List names.',
  });
}

export function addHealth(server: Server, state: ServingState): void {
  const { check, list, watch } = Health.method;
  const path = (method: { readonly name: string }): string => `/${Health.typeName}/${method.name}`;

  server.register<Parsed<HealthCheckRequest>, HealthCheckResponse>(
    path(check),
    (call: { request: Parsed<HealthCheckRequest> }, callback: Answer<HealthCheckResponse>) => {
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
    (_call: unknown, callback: Answer<unknown>) => {
      const statuses = Object.fromEntries([...state.services].map((name) => [name, state.of(name)]));
      callback(null, create(HealthListResponseSchema, { statuses }));
    },
    messageWriter(list.output) as (value: unknown) => Buffer,
    messageParser(list.input),
    'unary',
  );

  server.register(
    path(watch),
    (call: ServerWritableStream<Parsed<HealthCheckRequest>, HealthCheckResponse>) => {
      call.on('error', () => {});
      const { request } = call;
      if (request instanceof HoldfastError) return void call.emit('error', statusOf(request));
      const unlisten = state.listen(() => call.write(state.of(request.service)));
      if (unlisten === undefined) return void call.emit('error', statusOf(tooMany));
      call.on('cancelled', unlisten);
      call.write(state.of(request.service));
    },
    messageWriter(watch.output) as (value: unknown) => Buffer,
    messageParser(watch.input),
    'serverStream',
  );
}

type Answer<T> = (error: ReturnType<typeof statusOf> | null, value?: T) => void;

const tooMany = new HoldfastError(
  'RESOURCE_EXHAUSTED',
  'TOO_MANY_STREAMS',
  'Too many watch the health already.',
  {
    help: 'Use Check.',
  },
);
