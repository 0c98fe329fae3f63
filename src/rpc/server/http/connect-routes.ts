/** Registers the unary calls and the server streams for Connect, which serves them over HTTP. */
import { create, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type ConnectRouter, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { decodeSubmitBatch, encodeSubmitResult } from '../../../core/codec/submit.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Api, CallContext, Identity } from '../../api/api.ts';
import { watchTask } from '../../api/streams/watch.ts';
import type { Connection } from '../../auth/connections.ts';
import { Health, HealthListResponseSchema } from '../../gen/health/v1/health_pb.ts';
import { TaskService } from '../../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { Admission } from '../admission/admission.ts';
import type { CallBytes } from '../admission/receiving-budget.ts';
import type { Work } from '../admission/turns.ts';
import { workOf, workOfBatch, workOfWatch } from '../admission/work-of.ts';
import { services } from '../grpc/grpc.ts';
import { type ServingState, unknownService } from '../health.ts';
import { connectError } from './connect-error.ts';
import { begunKey } from './malformed-request.ts';

export interface AuthenticatedCaller {
  readonly identity: Identity;
  readonly connection: Connection;
}

/**
 * The key of a request's authenticated caller in its context values. The value is set before Connect handles the
 * request.
 */
export const callerKey = createContextKey<AuthenticatedCaller | undefined>(undefined);

/** The key of the bytes that a request has in the budget of its node. */
export const bytesKey = createContextKey<CallBytes | undefined>(undefined);

export interface RouteDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly health: ServingState;
  readonly admission: Admission;
}

export function addRoutes(router: ConnectRouter, deps: RouteDeps): void {
  for (const service of services) {
    for (const method of service.methods) {
      if (method.methodKind === 'unary') addUnary(router, method as DescMethodUnary, deps);
    }
  }
  addWatches(router, deps);
  addHealth(router, deps.health);
  for (const method of [
    TaskService.method.submitStream,
    WorkerService.method.work,
    WorkerService.method.report,
  ]) {
    // biome-ignore lint/correctness/useYield: a refused stream yields nothing.
    router.rpc(method, async function* () {
      throw connectError(overGrpcOnly(method.name));
    });
  }
}

function addUnary(router: ConnectRouter, method: DescMethodUnary, deps: RouteDeps): void {
  const { api, clock, admission } = deps;
  const submits = method === TaskService.method.submitTasks;
  const work = workOf(method);
  router.rpc(method, async (request: MessageShape<DescMethodUnary['input']>, handler: HandlerContext) => {
    try {
      const { context } = contextOf(handler, clock);
      const bytes = handler.values.get(bytesKey);
      const ensureRoom = (): void => {
        const refusal = bytes?.refusal();
        if (refusal !== undefined) throw refusal;
      };
      if (!submits) {
        return await admission.turns.run(context, work, async () => {
          ensureRoom();
          return api.call(method, request, context);
        });
      }
      const batch = decodeSubmitBatch(toBinary(method.input, request));
      const result = await admission.turns.run(context, workOfBatch(batch), () => api.submit(batch, context));
      return fromBinary(method.output, encodeSubmitResult(result));
    } catch (thrown) {
      throw connectError(thrown);
    }
  });
}

function addWatches(router: ConnectRouter, deps: RouteDeps): void {
  const { api } = deps;
  router.rpc(TaskService.method.watchTask, (request, handler) =>
    streamToCaller(handler, deps, workOfWatch(1), (context) => watchTask(api, request, context)),
  );
  router.rpc(TaskService.method.watchTasks, (request, handler) =>
    streamToCaller(handler, deps, workOfWatch(request.tasks.length), (context) =>
      api.watch(request, context),
    ),
  );
}

/**
 * Streams the messages of a server-streaming call to the caller, with errors of the Connect protocol. Ends the stream
 * when the caller's permissions change.
 */
async function* streamToCaller<T>(
  handler: HandlerContext,
  { clock, admission }: RouteDeps,
  work: Work,
  open: (context: CallContext) => AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    const { context, connection } = contextOf(handler, clock);
    const cutOff = Promise.withResolvers<never>();
    cutOff.promise.catch(() => {});
    const unwatch = connection.watch(cutOff.reject);
    const source = await admission.turns.run(context, work, async () =>
      open(context)[Symbol.asyncIterator](),
    );
    try {
      for (;;) {
        const next = await Promise.race([source.next(), cutOff.promise]);
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

function contextOf(handler: HandlerContext, clock: Clock): { context: CallContext } & AuthenticatedCaller {
  handler.values.set(begunKey, true);
  const caller = handler.values.get(callerKey);
  if (caller === undefined)
    throw new HoldfastError('UNAUTHENTICATED', 'NO_CERTIFICATE', 'The caller has no identity.');
  const timeoutMs = handler.timeoutMs();
  return {
    ...caller,
    context: {
      identity: caller.identity,
      notAfterMs: timeoutMs === undefined ? undefined : clock.monotonic() + timeoutMs,
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
    `${name} is a bidirectional stream, which the HTTP port does not serve.`,
    {
      help: 'Use the gRPC port, or call SubmitTasks, ClaimTasks, Heartbeat, SucceedTask and FailTask on the HTTP port.',
    },
  );
}
