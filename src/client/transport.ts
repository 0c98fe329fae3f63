/**
 * The transport port of the client: implemented over gRPC, in process, and by the simulation. Submissions and the two
 * worker streams carry the plain messages of core/messages.ts, because they are frequent; the other calls carry the
 * generated protobuf messages.
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

/** Options of one call. */
export interface CallOptions {
  /**
   * The longest time of the call in milliseconds. After it the call rejects with DEADLINE_EXCEEDED, and the server does
   * not start a commit for it any more.
   */
  readonly timeoutMs?: number | undefined;
  /** The signal that cancels the call when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The W3C `traceparent` that is sent with the call. */
  readonly traceparent?: string | undefined;
}

/** The receiving side of a stream. */
export interface StreamEvents<Incoming> {
  /** Called for each message from the server. */
  message(message: Incoming): void;
  /** Called exactly once, after the last message. `error` is undefined if the server ended the stream normally. */
  end(error: HoldfastError | undefined): void;
}

/** The sending side of a stream. */
export interface Outgoing<Message> {
  /** Sends a message. Returns false if the send buffer is full: wait for `drained` before sending much more. */
  send(message: Message): boolean;
  /** Resolves when the send buffer is empty. */
  drained(): Promise<void>;
  /** Ends the sending side of the stream. The receiving side stays open until the server ends it. */
  end(): void;
  /** Ends both sides of the stream at once. `StreamEvents.end` is still called. */
  abort(error?: HoldfastError): void;
}

/** A connection to a Holdfast server. */
export interface Transport {
  /** Submits a batch of tasks to one queue. */
  submit(batch: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult>;
  /** Makes a unary call. */
  call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>>;
  /** Streams the events of the requested tasks. */
  watch(request: WatchTasksRequest, options: CallOptions): AsyncIterable<WatchTasksResponse>;
  /** Opens the work stream, on which the server assigns tasks to a worker. */
  work(events: StreamEvents<WorkResponse>): Outgoing<WorkRequest>;
  /** Opens the report stream, on which a worker sends heartbeats and settlements. */
  report(events: StreamEvents<ReportResponse>): Outgoing<ReportRequest>;
  /** Ends the streams that are open, and closes the connection. */
  close(): Promise<void>;
}
