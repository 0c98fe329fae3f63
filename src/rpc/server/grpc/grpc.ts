/** Registers every method of the protobuf schema on the gRPC server. The handlers of the Api serve the calls. */
import type { DescMethodUnary, DescService, Message } from '@bufbuild/protobuf';
import { Server } from '@grpc/grpc-js';
import { decodeReportRequest, encodeReportResponse } from '../../../core/codec/report.ts';
import { decodeSubmitBatch, encodeSubmitResult } from '../../../core/codec/submit.ts';
import { decodeSubmitStreamRequest, encodeSubmitStreamResponse } from '../../../core/codec/submit-stream.ts';
import { decodeWorkRequest, encodeWorkResponse } from '../../../core/codec/work.ts';
import type {
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  SubmitStreamResponse,
  WorkResponse,
} from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Api } from '../../api/api.ts';
import { watchTask } from '../../api/streams/watch.ts';
import { file_health_v1_health } from '../../gen/health/v1/health_pb.ts';
import { AdminService, file_holdfast_v1_admin_service } from '../../gen/holdfast/v1/admin_service_pb.ts';
import {
  file_holdfast_v1_task_service,
  TaskService,
  type WatchTaskRequest,
  type WatchTasksRequest,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import { file_holdfast_v1_worker_service, WorkerService } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { Admission } from '../admission/admission.ts';
import { workOf, workOfBatch, workOfWatch } from '../admission/work-of.ts';
import type { Authenticator } from '../authenticator.ts';
import { addHealth, type ServingState } from '../health.ts';
import { asBuffer, messageParser, messageWriter, mostMessageBytes, parser, sizedParser } from '../parse.ts';
import { addReflection } from '../reflection.ts';
import { admissionInterceptor } from './admit-calls.ts';
import { bidiHandler } from './bidi.ts';
import { serverStreamHandler } from './server-stream.ts';
import { unaryHandler } from './unary.ts';
import { answerUnknownCalls } from './unknown-calls.ts';

export const services: readonly DescService[] = [TaskService, WorkerService, AdminService];

const options = {
  /** The largest size of a message after its decompression. The reader of messages refuses all others before. */
  'grpc.max_receive_message_length': mostMessageBytes,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_idle_ms': 1_800_000,
  /** Disables channelz, the statistics of gRPC: counting every message costs time, and nothing reads the counters. */
  'grpc.enable_channelz': 0,
};

export interface GrpcDeps {
  readonly api: Api;
  readonly authenticator: Authenticator;
  readonly admission: Admission;
  readonly health: ServingState;
  readonly clock: Clock;
}

function pathOf(method: { readonly name: string; readonly parent: DescService }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

const passThrough = (bytes: Buffer): Buffer => bytes;

export function grpcServer(deps: GrpcDeps): Server {
  const interceptors = [admissionInterceptor(deps)];
  const server = new Server({ ...options, interceptors });
  for (const service of services) {
    for (const method of service.methods) {
      if (method.methodKind === 'unary') addUnary(server, method as DescMethodUnary, deps);
    }
  }
  addHotCalls(server, deps);
  addWatches(server, deps);
  addHealth(server, deps.health);
  const files = [
    file_holdfast_v1_task_service,
    file_holdfast_v1_worker_service,
    file_holdfast_v1_admin_service,
    file_health_v1_health,
  ];
  addReflection(server, files);
  answerUnknownCalls(server);
  return server;
}

function addUnary(server: Server, method: DescMethodUnary, deps: GrpcDeps): void {
  if (method === TaskService.method.submitTasks) return;
  const work = workOf(method);
  server.register(
    pathOf(method),
    unaryHandler<Message, Message>(deps, {
      run: (request, context) => deps.api.call(method, request, context),
      encode: messageWriter(method.output) as (value: unknown) => Buffer,
      work: () => work,
    }),
    passThrough,
    messageParser(method.input),
    'unary',
  );
}

/**
 * Registers the calls that run thousands of times a second: SubmitTasks, SubmitStream, Work and Report. The codec of `core` decodes
 * and encodes their messages.
 */
function addHotCalls(server: Server, deps: GrpcDeps): void {
  const { api } = deps;
  server.register(
    pathOf(TaskService.method.submitTasks),
    unaryHandler<SubmitBatch, SubmitBatchResult>(deps, {
      run: (batch, context) => api.submit(batch, context),
      encode: (result) => asBuffer(encodeSubmitResult(result)),
      work: workOfBatch,
    }),
    passThrough,
    parser(decodeSubmitBatch),
    'unary',
  );
  server.register(
    pathOf(TaskService.method.submitStream),
    bidiHandler(
      deps,
      (response: SubmitStreamResponse) => asBuffer(encodeSubmitStreamResponse(response)),
      (stream, context, bytes) =>
        api.submitStream(stream, context, {
          take: (count) => bytes?.take(count),
          giveBack: (count) => bytes?.giveBack(count),
          submit: (batch, call) =>
            deps.admission.turns.run(call, workOfBatch(batch), () => api.submit(batch, call)),
        }),
    ),
    passThrough,
    sizedParser(decodeSubmitStreamRequest),
    'bidi',
  );
  server.register(
    pathOf(WorkerService.method.work),
    bidiHandler(
      deps,
      (response: WorkResponse) => asBuffer(encodeWorkResponse(response)),
      (stream, context) => api.work(stream, context),
    ),
    passThrough,
    sizedParser(decodeWorkRequest),
    'bidi',
  );
  server.register(
    pathOf(WorkerService.method.report),
    bidiHandler(
      deps,
      (response: ReportResponse) => asBuffer(encodeReportResponse(response)),
      (stream, context) => api.report(stream, context),
    ),
    passThrough,
    sizedParser(decodeReportRequest),
    'bidi',
  );
}

function addWatches(server: Server, deps: GrpcDeps): void {
  const { api } = deps;
  const one = TaskService.method.watchTask;
  const many = TaskService.method.watchTasks;
  server.register(
    pathOf(one),
    serverStreamHandler(
      deps,
      messageWriter(one.output),
      (request: WatchTaskRequest, context) => watchTask(api, request, context),
      () => workOfWatch(1),
    ),
    passThrough,
    messageParser(one.input),
    'serverStream',
  );
  server.register(
    pathOf(many),
    serverStreamHandler(
      deps,
      messageWriter(many.output),
      (request: WatchTasksRequest, context) => api.watch(request, context),
      ({ tasks }) => workOfWatch(tasks.length),
    ),
    passThrough,
    messageParser(many.input),
    'serverStream',
  );
}
