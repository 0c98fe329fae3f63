/** The same calls as over gRPC, as Connect serves them over HTTP. */
import { create, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type ConnectRouter, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { decodeSubmitBatch, encodeSubmitResult } from '../../../core/codec/submit.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Api, CallContext } from '../../api/api.ts';
import { watchTask } from '../../api/streams/watch.ts';
import { Health, HealthListResponseSchema } from '../../gen/health/v1/health_pb.ts';
import { TaskService } from '../../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { Admitted } from '../admission.ts';
import { services } from '../grpc/grpc.ts';
import { type ServingState, unknownService } from '../health.ts';
import { connectError } from './connect-error.ts';

/** Who calls, found out before Connect sees the request. */
export const admittedKey = createContextKey<Admitted | undefined>(undefined);

export interface RouteDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly health: ServingState;
}

export function addRoutes(router: ConnectRouter, deps: RouteDeps): void {
  for (const service of services) {
    for (const method of service.methods) {
      if (method.methodKind === 'unary') addUnary(router, method as DescMethodUnary, deps);
    }
  }
  addWatches(router, deps);
  addHealth(router, deps.health);
  for (const method of [WorkerService.method.work, WorkerService.method.report]) {
    // biome-ignore lint/correctness/useYield: a stream that is refused has nothing to yield.
    router.rpc(method, async function* () {
      throw connectError(overGrpcOnly(method.name));
    });
  }
}

function addUnary(router: ConnectRouter, method: DescMethodUnary, { api, clock }: RouteDeps): void {
  const submits = method === TaskService.method.submitTasks;
  router.rpc(method, async (request: MessageShape<DescMethodUnary['input']>, handler: HandlerContext) => {
    try {
      const { context } = contextOf(handler, clock);
      if (!submits) return await api.call(method, request, context);
      const batch = decodeSubmitBatch(toBinary(method.input, request));
      return fromBinary(method.output, encodeSubmitResult(await api.submit(batch, context)));
    } catch (thrown) {
      throw connectError(thrown);
    }
  });
}

function addWatches(router: ConnectRouter, { api, clock }: RouteDeps): void {
  router.rpc(TaskService.method.watchTask, (request, handler) =>
    told(handler, clock, (context) => watchTask(api, request, context)),
  );
  router.rpc(TaskService.method.watchTasks, (request, handler) =>
    told(handler, clock, (context) => api.watch(request, context)),
  );
}

/** The stream, its errors in Connect's form, and its end where the caller's rights change. */
async function* told<T>(
  handler: HandlerContext,
  clock: Clock,
  open: (context: CallContext) => AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    const { context, connection } = contextOf(handler, clock);
    const cut = Promise.withResolvers<never>();
    cut.promise.catch(() => {});
    const unwatch = connection.watch(cut.reject);
    const source = open(context)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([source.next(), cut.promise]);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      unwatch();
      void source.return?.();
    }
  } catch (thrown) {
    throw connectError(thrown);
  }
}

function contextOf(handler: HandlerContext, clock: Clock): { context: CallContext } & Admitted {
  const admitted = handler.values.get(admittedKey);
  if (admitted === undefined)
    throw new HoldfastError('UNAUTHENTICATED', 'NO_CERTIFICATE', 'Nobody is known.');
  const timeoutMs = handler.timeoutMs();
  return {
    ...admitted,
    context: {
      identity: admitted.identity,
      notAfterMs: timeoutMs === undefined ? undefined : clock.now() + timeoutMs,
      traceparent: handler.requestHeader.get('traceparent') ?? '',
      signal: handler.signal,
    },
  };
}

function addHealth(router: ConnectRouter, health: ServingState): void {
  router.rpc(Health.method.check, ({ service }) => {
    if (!health.services.has(service)) throw connectError(unknownService(service));
    return health.of(service);
  });
  router.rpc(Health.method.list, () =>
    create(HealthListResponseSchema, {
      statuses: Object.fromEntries([...health.services].map((name) => [name, health.of(name)])),
    }),
  );
}

function overGrpcOnly(name: string): HoldfastError {
  return new HoldfastError(
    'UNIMPLEMENTED',
    'NOT_BUILT',
    `${name} flows both ways, which HTTP does not carry.`,
    {
      help: 'Use the gRPC port, or ClaimTasks, Heartbeat, SucceedTask and FailTask here.',
    },
  );
}
