/**
 * The interface of all calls of Holdfast. gRPC, Connect over HTTP, the in-process transport and the simulation all use
 * its one implementation, which checks every field (validate.ts), resolves the tenant, checks the permission
 * (access.ts) and calls the service.
 */
import type { DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import type { HoldfastError } from '../../core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  SubmitStreamRequest,
  SubmitStreamResponse,
  WorkRequest,
  WorkResponse,
} from '../../core/messages.ts';
import type { WatchTasksRequest, WatchTasksResponse } from '../gen/holdfast/v1/task_service_pb.ts';

export type Verb = 'submit' | 'work' | 'read' | 'admin';

/** The identity and the permissions of a caller, from the caller's certificate and the policy file. */
export interface Identity {
  /** The SPIFFE URI of the caller's certificate, else the CN. For a caller in the same process the name is `local`. */
  readonly name: string;
  /** The tenants that the policy grants. An empty list grants all tenants. */
  readonly tenants: readonly string[];
  /** The queues that the policy grants. An empty list grants all queues. */
  readonly queues: readonly string[];
  readonly verbs: readonly Verb[];
}

export interface CallContext {
  readonly identity: Identity;
  /**
   * The call's deadline in ms on this node's monotonic clock, since a client sends the length that is left and not a time.
   * A call whose commit has not begun by then fails with DEADLINE_EXCEEDED.
   */
  readonly notAfterMs: number | undefined;
  readonly traceparent: string;
  /** Aborted when the caller has disconnected or cancelled the call. */
  readonly signal: AbortSignal;
}

/** The server's end of a stream. */
export interface ServerStream<Message> {
  /**
   * The number of bytes passed to `send` that the transport has not sent yet. Above `limits.streamBufferBytes` the
   * stream is cut.
   */
  readonly bufferedBytes: number;
  /**
   * A callback that the user of the stream sets. The transport calls it each time some of the stream's buffered bytes
   * have been sent.
   */
  roomFreed?: (() => void) | undefined;
  send(message: Message): void;
  /** Ends the stream, with status OK if there is no error. */
  end(error?: HoldfastError): void;
}

/** Receives the client's messages of one stream. */
export interface StreamReceiver<Message> {
  /**
   * `bytes` is the length of the encoded message, which stays in memory as long as a part of the message does. 0 or absent:
   * the message was not decoded from bytes.
   */
  message(message: Message, bytes?: number): void;
  /**
   * Called once, after all messages of the stream: without an error if the client ended the stream, with an error if
   * the stream broke.
   */
  closed(error: HoldfastError | undefined): void;
}

/** Admits the batches of a stream of submissions as calls are admitted: by their bytes and by their turns. */
export interface SubmissionAdmission {
  /** Counts bytes that wait for the store. Returns the error RESOURCE_EXHAUSTED, and counts nothing, if there is no room. */
  take(bytes: number): HoldfastError | undefined;
  giveBack(bytes: number): void;
  /** Submits a batch by `Api.submit` at its turn. */
  submit(batch: SubmitBatch, context: CallContext): Promise<SubmitBatchResult>;
}

export interface Api {
  submit(batch: SubmitBatch, context: CallContext): Promise<SubmitBatchResult>;
  call<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M['input']>,
    context: CallContext,
  ): Promise<MessageShape<M['output']>>;
  watch(request: WatchTasksRequest, context: CallContext): AsyncIterable<WatchTasksResponse>;
  /** Serves a stream of SubmitTasks calls. */
  submitStream(
    stream: ServerStream<SubmitStreamResponse>,
    context: CallContext,
    admission: SubmissionAdmission,
  ): StreamReceiver<SubmitStreamRequest>;
  work(stream: ServerStream<WorkResponse>, context: CallContext): StreamReceiver<WorkRequest>;
  report(stream: ServerStream<ReportResponse>, context: CallContext): StreamReceiver<ReportRequest>;
  /**
   * Throws RESOURCE_EXHAUSTED, reason TOO_MANY_STREAMS, if a new stream of this identity would be refused with it. A listener
   * asks at the headers of a stream, since its objects cost much more than a refusal.
   */
  ensureStreamRoom(identity: Identity): void;
}
