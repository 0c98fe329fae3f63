/**
 * How a client reaches a server: over gRPC, in this process, or through the simulation. The hot calls carry
 * plain values (core/messages.ts), the others the generated messages.
 */
import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { HoldfastError } from '../core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../core/messages.ts';
import type { WatchTasksRequest, WatchTasksResponse } from '../rpc/gen/holdfast/v1/task_service_pb.ts';

export interface CallOptions {
  /** Length of the whole call; its end rejects with DEADLINE_EXCEEDED, and a commit that has not begun never does. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly traceparent?: string | undefined;
}

export interface StreamEvents<Incoming> {
  message(message: Incoming): void;
  /** Once, and last. Undefined: the other side ended it in good order. */
  end(error: HoldfastError | undefined): void;
}

export interface Outgoing<Message> {
  /** False: more than a little is unsent; wait for `drained` before sending much more. */
  send(message: Message): boolean;
  /** Resolves when what was sent has left. */
  drained(): Promise<void>;
  /** No more from this side. */
  end(): void;
  /** Ends both ways at once; `StreamEvents.end` still comes. */
  abort(error?: HoldfastError): void;
}

export interface Transport {
  submit(batch: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult>;
  call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>>;
  watch(request: WatchTasksRequest, options: CallOptions): AsyncIterable<WatchTasksResponse>;
  work(events: StreamEvents<WorkResponse>): Outgoing<WorkRequest>;
  report(events: StreamEvents<ReportResponse>): Outgoing<ReportRequest>;
  close(): Promise<void>;
}
