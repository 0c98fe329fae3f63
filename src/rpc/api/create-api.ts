import {
  create,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Service } from '../../service/service.ts';
import { AdminService } from '../gen/holdfast/v1/admin_service_pb.ts';
import { TaskService } from '../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../gen/holdfast/v1/worker_service_pb.ts';
import { adminHandlers } from './admin.ts';
import type { Api } from './api.ts';
import type { Parts } from './parts.ts';
import { OpenStreams } from './streams/open-streams.ts';
import { reportStream } from './streams/report-stream.ts';
import { watchTasks } from './streams/watch.ts';
import { workStream } from './streams/work-stream.ts';
import { submit } from './submit.ts';
import { taskHandlers } from './tasks.ts';
import type { Handler } from './unary.ts';
import { workerHandlers } from './worker-unary.ts';

export interface ApiOptions {
  readonly service: Service;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process among its peers. */
  readonly node: string;
}

/** The calls, and what the server that holds them needs beside. */
export interface NodeApi extends Api {
  readonly openStreams: number;
  /** Asks the peer of every stream to open its next one elsewhere, and opens no more here. */
  drain(): void;
}

type AnyHandler = Handler<DescMethodUnary>;

function methodsOf(parts: Parts): ReadonlyMap<DescMethodUnary, AnyHandler> {
  const methods = new Map<DescMethodUnary, AnyHandler>();
  const add = (service: DescService, handlers: object): void => {
    for (const [name, handler] of Object.entries(handlers)) {
      methods.set(service.method[name] as DescMethodUnary, handler as AnyHandler);
    }
  };
  add(TaskService, taskHandlers(parts));
  add(WorkerService, workerHandlers(parts));
  add(AdminService, adminHandlers(parts));
  return methods;
}

function notBuilt(method: DescMethodUnary): HoldfastError {
  const name = `${method.parent.typeName}/${method.name}`;
  return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `This server does not know ${name}.`, {
    help: 'Update the server, or use a client of its version.',
  });
}

export function createApi({ service, clock, log, node }: ApiOptions): NodeApi {
  const streams = new OpenStreams();
  const drains = new Set<() => void>();
  let draining = false;
  const parts: Parts = {
    service,
    clock,
    log,
    node,
    streams,
    get draining() {
      return draining;
    },
    onDrain(drain) {
      drains.add(drain);
      return () => drains.delete(drain);
    },
  };
  const methods = methodsOf(parts);

  /** Every failure is a HoldfastError; those that are ours are logged, since the caller can do nothing. */
  function failed(thrown: unknown, call: string): HoldfastError {
    const error = asHoldfastError(thrown);
    if (error.reason === 'BUG')
      log.error({ err: error.cause ?? error, call }, 'a call met an unexpected error');
    return error;
  }

  return {
    get openStreams() {
      return streams.count;
    },
    drain() {
      draining = true;
      for (const drain of [...drains]) drain();
    },
    async submit(batch, context) {
      try {
        return await submit(parts, batch, context);
      } catch (thrown) {
        throw failed(thrown, 'SubmitTasks');
      }
    },
    async call<M extends DescMethodUnary>(
      method: M,
      request: MessageShape<M['input']>,
      context: Parameters<Api['call']>[2],
    ): Promise<MessageShape<M['output']>> {
      const handler = methods.get(method);
      if (handler === undefined) throw notBuilt(method);
      try {
        const output = (await handler(request, context)) as MessageInitShape<M['output']>;
        return create(method.output as M['output'], output);
      } catch (thrown) {
        throw failed(thrown, method.name);
      }
    },
    watch: (request, context) => watchTasks(parts, request, context),
    work: (stream, context) => workStream(parts, stream, context),
    report: (stream, context) => reportStream(parts, stream, context),
  };
}
