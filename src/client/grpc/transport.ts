/** A Transport over gRPC. */
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
import { decodeWorkResponse, encodeWorkRequest } from '../../core/codec/work.ts';
import { HoldfastError } from '../../core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../rpc/gen/holdfast/v1/worker_service_pb.ts';
import type { Transport } from '../transport.ts';
import { bidi } from './bidi.ts';
import { borrowChannel } from './channel.ts';
import { serverStream } from './server-stream.ts';
import type { ClientTls } from './tls.ts';
import { unary, type Wire } from './unary.ts';

export type { ClientTls } from './tls.ts';

export interface GrpcOptions {
  /** `host:port`. */
  readonly address: string;
  /** Left out only with `plaintext`. */
  readonly tls?: ClientTls | undefined;
  /** Nobody is asked who they are, and everybody on the way can read: on this machine only. */
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
 * Dials at the first call. Does not keep the process alive where nothing is under way. Throws BAD_CERTIFICATE,
 * BAD_CONFIGURATION, and BAD_FIELD for an address that is none.
 */
export function grpcTransport({ address, tls, plaintext = false, clock }: GrpcOptions): Transport {
  if ((tls === undefined) !== plaintext) throw unclear;
  const { channel, giveBack } = borrowChannel({ address, tls, clock });
  return {
    submit: (batch, options) => unary(channel, clock, submitWire, batch, options),
    call: <M extends DescMethodUnary>(
      method: M,
      request: MessageInitShape<M['input']>,
      options: Parameters<Transport['call']>[2],
    ) => {
      const input = create(method.input as M['input'], request) as MessageShape<M['input']>;
      return unary(channel, clock, wireOf(method), input, options);
    },
    watch: (request, options) => serverStream(channel, clock, watchWire, request, options),
    work: (events) => bidi(channel, workWire, events),
    report: (events) => bidi(channel, reportWire, events),
    async close() {
      giveBack();
    },
  };
}

const unclear = new HoldfastError(
  'FAILED_PRECONDITION',
  'BAD_CONFIGURATION',
  'A connection needs either certificates or an explicit plaintext.',
  {
    help: 'Give `tls: { ca, cert, key }` (made by `holdfast certs issue`), or `plaintext: true` on this machine.',
  },
);
