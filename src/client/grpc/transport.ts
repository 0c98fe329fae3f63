/** The transport over gRPC. */
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { decodeReportResponse, encodeReportRequest } from '../../core/codec/report.ts';
import { decodeSubmitResult, encodeSubmitBatch } from '../../core/codec/submit.ts';
import { decodeSubmitStreamResponse, encodeSubmitStreamRequest } from '../../core/codec/submit-stream.ts';
import { decodeWorkResponse, encodeWorkRequest } from '../../core/codec/work.ts';
import { HoldfastError } from '../../core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  SubmitStreamResponse,
  WorkRequest,
  WorkResponse,
} from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../rpc/gen/holdfast/v1/worker_service_pb.ts';
import type { Transport } from '../transport.ts';
import { bidi } from './bidi.ts';
import { borrowChannel } from './channel.ts';
import { OpenStreams } from './open-streams.ts';
import { serverStream } from './server-stream.ts';
import { type EncodedBatches, SubmitStreams } from './submit-streams.ts';
import type { ClientTls } from './tls.ts';
import { deadlineExceeded, encoded, unary, type Wire } from './unary.ts';

export type { ClientTls } from './tls.ts';

/** Options of a gRPC transport. */
export interface GrpcOptions {
  /** The address of the server as `host:port`. */
  readonly address: string;
  /** The certificate files; required unless `plaintext` is true. */
  readonly tls?: ClientTls | undefined;
  /** Connects without TLS: no authentication, and anyone on the network can read. For servers on this machine only. */
  readonly plaintext?: boolean | undefined;
  readonly clock: Clock;
}

function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

const submitWire: Wire<SubmitBatch, SubmitBatchResult> = {
  path: pathOf(TaskService.method.submitTasks),
  encode: encodeSubmitBatch,
  decode: decodeSubmitResult,
};
const submitStreamWire: Wire<EncodedBatches, SubmitStreamResponse> = {
  path: pathOf(TaskService.method.submitStream),
  // The batches of a message are a repeated field, so that encoded messages may stand one behind the other.
  encode: ({ batches }) => (batches.length === 1 ? (batches[0] as Uint8Array) : Buffer.concat(batches)),
  decode: decodeSubmitStreamResponse,
};
const workWire: Wire<WorkRequest, WorkResponse> = {
  path: pathOf(WorkerService.method.work),
  encode: encodeWorkRequest,
  decode: decodeWorkResponse,
};
const reportWire: Wire<ReportRequest, ReportResponse> = {
  path: pathOf(WorkerService.method.report),
  encode: encodeReportRequest,
  decode: decodeReportResponse,
};

function wireOf<M extends DescMethod>(method: M): Wire<MessageShape<M['input']>, MessageShape<M['output']>> {
  return {
    path: pathOf(method),
    encode: (input) => toBinary(method.input, input),
    decode: (bytes) => fromBinary(method.output, bytes) as MessageShape<M['output']>,
  };
}
const watchWire = wireOf(TaskService.method.watchTasks);

/**
 * Returns a transport over gRPC. It connects at the first call. An idle connection does not keep the process alive.
 * @throws HoldfastError with reason BAD_CERTIFICATE, BAD_CONFIGURATION, or BAD_FIELD for a malformed address.
 */
export function grpcTransport({ address, tls, plaintext = false, clock }: GrpcOptions): Transport {
  if ((tls === undefined) !== plaintext) throw tlsUnclear;
  const { channel, release: giveBack } = borrowChannel({ address, tls, clock });
  const streams = new OpenStreams();
  const submissions = new SubmitStreams({
    clock,
    open: (events) => bidi(channel, submitStreamWire, events),
    encode: (batch, timeoutMs, request) =>
      encoded(
        { encode: encodeSubmitStreamRequest },
        { kind: 'batches', batches: [{ batch, timeoutMs, request }] },
      ),
    call: (request, options) => unary(channel, clock, submitWire, request, options),
    timedOut: () => channel.explain(deadlineExceeded),
  });
  return {
    submit: (batch, options) => submissions.submit(batch, options),
    call: <M extends DescMethodUnary>(
      method: M,
      request: MessageInitShape<M['input']>,
      options: Parameters<Transport['call']>[2],
    ) => {
      const input = create(method.input as M['input'], request) as MessageShape<M['input']>;
      return unary(channel, clock, wireOf(method), input, options);
    },
    watch: (request, options) => serverStream(channel, clock, watchWire, request, options),
    work: (events) => streams.open(events, (toStream) => bidi(channel, workWire, toStream)),
    report: (events) => streams.open(events, (toStream) => bidi(channel, reportWire, toStream)),
    async close() {
      submissions.close();
      streams.abort();
      giveBack();
    },
  };
}

const tlsUnclear = new HoldfastError(
  'FAILED_PRECONDITION',
  'BAD_CONFIGURATION',
  'A connection needs either certificates or `plaintext: true`.',
  {
    help: 'Set `tls: { ca, cert, key }` (`holdfast certs issue` creates the files), or `plaintext: true` for a server on this machine.',
  },
);
