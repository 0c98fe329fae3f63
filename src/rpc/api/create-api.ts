import {
  create,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { AdminService } from '../gen/holdfast/v1/admin_service_pb.ts';
import { TaskService } from '../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../gen/holdfast/v1/worker_service_pb.ts';
import { adminHandlers } from './admin.ts';
import type { Api } from './api.ts';
import { type ApiDeps, type ApiOptions, createDeps } from './api-deps.ts';
import type { MethodHandler } from './method-handlers.ts';
import { reportStream } from './streams/report-stream.ts';
import { submitStream } from './streams/submit-stream.ts';
import { watchTasks } from './streams/watch.ts';
import { workStream } from './streams/work-stream.ts';
import { submit } from './submit.ts';
import { taskHandlers } from './tasks.ts';
import { workerHandlers } from './worker-unary.ts';

/** The interface of all calls (`Api`), with the members that only the server of this node needs. */
export interface NodeApi extends Api {
  readonly openStreams: number;
  /**
   * Asks the client of every open stream to move to another node, ends the waits of claim calls, and refuses new streams
   * and claims. Open streams still take outcomes and heartbeats.
   */
  drain(): void;
  /**
   * Takes no more outcomes and heartbeats. Resolves when everything that was received before has been answered; each
   * Report stream has then ended. What was not taken has no answer, so the workers send it again to the next node.
   */
  finish(): Promise<void>;
}

type AnyMethodHandler = MethodHandler<DescMethodUnary>;

function methodsOf(deps: ApiDeps): ReadonlyMap<DescMethodUnary, AnyMethodHandler> {
  const methods = new Map<DescMethodUnary, AnyMethodHandler>();
  const add = (service: DescService, handlers: object): void => {
    for (const [name, handler] of Object.entries(handlers)) {
      methods.set(service.method[name] as DescMethodUnary, handler as AnyMethodHandler);
    }
  };
  add(TaskService, taskHandlers(deps));
  add(WorkerService, workerHandlers(deps));
  add(AdminService, adminHandlers(deps));
  return methods;
}

/** Returns the name of a method as gRPC writes it. */
function nameOf({ parent, name }: DescMethodUnary): string {
  return `${parent.typeName}/${name}`;
}

const submitMethod = nameOf(TaskService.method.submitTasks);

function notBuilt(method: DescMethodUnary): HoldfastError {
  const name = nameOf(method);
  return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `This server does not know ${name}.`, {
    help: 'Update the server, or use a client of its version.',
  });
}

export function createApi(options: ApiOptions): NodeApi {
  const { deps, drain, finish } = createDeps(options);
  const { clock, log, unanswered } = deps;
  const { metrics } = options;
  const methods = methodsOf(deps);
  metrics?.addSource({
    name: 'streams',
    everyMs: 0,
    read(gauges) {
      gauges.set('holdfast.stream.open', {}, deps.streams.count);
      gauges.set('holdfast.stream.buffered', {}, deps.unsent.bytes);
    },
  });

  /** Converts any error to a HoldfastError. Logs unexpected errors, because they are defects of the server. */
  function toHoldfastError(thrown: unknown, call: string): HoldfastError {
    const error = asHoldfastError(thrown);
    if (error.reason === 'BUG')
      log.error({ err: error.cause ?? error, call }, 'a call failed with an unexpected error');
    return error;
  }

  return {
    get openStreams() {
      return deps.streams.count;
    },
    drain,
    async finish() {
      const answered = unanswered.answered();
      finish();
      await answered;
    },
    async submit(batch, context) {
      const beganMs = metrics === undefined ? 0 : clock.monotonic();
      try {
        const result = await unanswered.track(submit(deps, batch, context));
        metrics?.called(submitMethod, 'OK', undefined, clock.monotonic() - beganMs);
        return result;
      } catch (thrown) {
        const error = toHoldfastError(thrown, 'SubmitTasks');
        metrics?.called(submitMethod, error.code, error.reason, clock.monotonic() - beganMs);
        throw error;
      }
    },
    async call<M extends DescMethodUnary>(
      method: M,
      request: MessageShape<M['input']>,
      context: Parameters<Api['call']>[2],
    ): Promise<MessageShape<M['output']>> {
      const handler = methods.get(method);
      if (handler === undefined) throw notBuilt(method);
      const beganMs = metrics === undefined ? 0 : clock.monotonic();
      try {
        const output = (await unanswered.track(handler(request, context))) as MessageInitShape<M['output']>;
        const answer = create(method.output as M['output'], output);
        metrics?.called(nameOf(method), 'OK', undefined, clock.monotonic() - beganMs);
        return answer;
      } catch (thrown) {
        const error = toHoldfastError(thrown, method.name);
        metrics?.called(nameOf(method), error.code, error.reason, clock.monotonic() - beganMs);
        throw error;
      }
    },
    watch: (request, context) => watchTasks(deps, request, context),
    submitStream: (stream, context, admission) => submitStream(deps, stream, context, admission),
    work: (stream, context) => workStream(deps, stream, context),
    report: (stream, context) => reportStream(deps, stream, context),
    ensureStreamRoom: (identity) => deps.streams.ensureRoom(identity),
  };
}
