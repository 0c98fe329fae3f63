/**
 * The calls of Holdfast as the listeners see them (gRPC, Connect over HTTP, in process, the simulation): one
 * implementation, any number of ways in. It checks every field (validate.ts), resolves the tenant and the
 * permission (auth), and calls the service.
 */
import type { DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import type { HoldfastError } from '../../core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../core/messages.ts';
import type { WatchTasksRequest, WatchTasksResponse } from '../gen/holdfast/v1/task_service_pb.ts';

export type Verb = 'submit' | 'work' | 'read' | 'admin';

/** Who calls, and what they may: from the certificate and the policy. */
export interface Identity {
  /** SPIFFE URI, else CN; `local` in process. */
  readonly name: string;
  /** The only tenant, or those that the policy grants; empty: every one. */
  readonly tenants: readonly string[];
  /** Queues that may be named; empty: every one. */
  readonly queues: readonly string[];
  readonly verbs: readonly Verb[];
}

export interface CallContext {
  readonly identity: Identity;
  /** On this node's clock. A call that comes to its commit later is not executed: DEADLINE_EXCEEDED. */
  readonly notAfterMs: number | undefined;
  readonly traceparent: string;
  /** The caller went away. */
  readonly signal: AbortSignal;
}

/** The server's end of a stream. */
export interface ServerStream<Message> {
  /** Bytes handed over and not yet taken by the transport; past `limits.streamBufferBytes` the stream is cut. */
  readonly bufferedBytes: number;
  /** Set by who sends: called when the transport has taken something of what was buffered. */
  taken?: (() => void) | undefined;
  send(message: Message): void;
  /** Undefined: in good order. */
  end(error?: HoldfastError): void;
}

export interface Received<Message> {
  message(message: Message): void;
  /** The other side ended (undefined) or broke (the error). Once, and last. */
  closed(error: HoldfastError | undefined): void;
}

export interface Api {
  submit(batch: SubmitBatch, context: CallContext): Promise<SubmitBatchResult>;
  call<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M['input']>,
    context: CallContext,
  ): Promise<MessageShape<M['output']>>;
  watch(request: WatchTasksRequest, context: CallContext): AsyncIterable<WatchTasksResponse>;
  work(stream: ServerStream<WorkResponse>, context: CallContext): Received<WorkRequest>;
  report(stream: ServerStream<ReportResponse>, context: CallContext): Received<ReportRequest>;
}
