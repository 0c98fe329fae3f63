/**
 * The interceptor by which grpc-js admits or refuses each call at its headers. It replaces the reader of the call's
 * messages, because that of grpc-js keeps up to the largest message of every call, without regard to its caller.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Api } from '../../api/api.ts';
import { type Connection, connectionOf } from '../../auth/connections.ts';
import { TaskService } from '../../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { Admission } from '../admission/admission.ts';
import { MessageReader } from '../admission/message-reader.ts';
import type { Authenticator } from '../authenticator.ts';
import { mostMessageBytes } from '../parse.ts';
import { statusOf } from '../status.ts';
import { keepAdmitted } from './admitted-calls.ts';
import { type AnyStatus, explainStatuses } from './explain-status.ts';

/** The internals of grpc-js's object of a call. They are undocumented; `ensureInternals` checks that they are there. */
interface BaseCall {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  readonly incomingEncoding: string;
  decoder: { write(chunk: Buffer): Buffer[] };
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
  sendStatus(status: AnyStatus): void;
}

type EndableCall = Pick<BaseCall, 'sendStatus'> & Partial<BaseCall>;

/** The statuses of refused calls: PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAUTHENTICATED. */
const refusals: ReadonlySet<number> = new Set([7, 8, 16]);

function ensureInternals(call: object): asserts call is BaseCall {
  const { stream, metadata, decoder, decompressMessage } = call as Partial<BaseCall>;
  if (stream && metadata && decoder && decompressMessage) return;
  throw new HoldfastError('INTERNAL', 'BUG', 'This version of grpc-js hides the parts of a call.', {
    help: 'Install the version of @grpc/grpc-js that Holdfast’s package names.',
  });
}

/** The paths of the streams whose number is limited by identity. */
const countedStreams: ReadonlySet<string> = new Set(
  [
    TaskService.method.submitStream,
    TaskService.method.watchTasks,
    WorkerService.method.work,
    WorkerService.method.report,
  ].map(({ parent, name }) => `/${parent.typeName}/${name}`),
);

export interface AdmissionDeps {
  readonly api: Pick<Api, 'ensureStreamRoom'>;
  readonly admission: Admission;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
}

export function admissionInterceptor({
  api,
  admission,
  authenticator,
  clock,
}: AdmissionDeps): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const base: object = call;
    try {
      ensureInternals(base);
      explainStatuses(base);
      const { session } = base.stream;
      const socket = session === undefined || session.destroyed ? undefined : session.socket;
      const paced = paceRefusals(base, connectionOf(socket), admission, clock);
      const headers = { ...base.metadata.getMap(), host: call.getHost() };
      const caller = authenticator.connectionOf(socket, headers);
      paced.connection = caller;
      const admitted = admission.admit(authenticator, path, caller, headers);
      const { bytes, identity, connection, timer } = admitted;
      const reader = new MessageReader({
        bytes,
        connection,
        timer,
        mostBytes: identity === undefined ? limits.strangerMessageBytes : mostMessageBytes,
        isStream: requestStream,
        isStranger: identity === undefined,
        inflates: base.incomingEncoding !== 'identity',
        refuse: (error) => end(base, error, clock),
      });
      keepAdmitted(base.stream, admitted);
      readBy(base, reader);
      // The reader closes the bytes of the call with its stream, therefore a stream is refused after the reader began.
      if (identity !== undefined && countedStreams.has(path)) api.ensureStreamRoom(identity);
      // The call itself: a wrapper around it would cost time for each message.
      return call as ServerInterceptingCall;
    } catch (thrown) {
      // The handler of the call is not started.
      return new ServerInterceptingCall(call, {
        start: () => end(call as EndableCall, asHoldfastError(thrown), clock),
      });
    }
  };
}

/** The connection of the client whose refusals are counted together. */
interface PacedCall {
  connection: Connection | undefined;
}

/** Has refusals of the call delayed if its client repeats refused calls without a pause. */
function paceRefusals(
  call: BaseCall,
  connection: Connection | undefined,
  { refusals: pace }: Admission,
  clock: Clock,
): PacedCall {
  const paced: PacedCall = { connection };
  const { stream } = call;
  const { session } = stream;
  const sendStatus = call.sendStatus.bind(call);
  call.sendStatus = (status) => {
    const client = paced.connection;
    if (client === undefined) return sendStatus(status);
    // The end of the call may stand behind its headers in the same packet, which Node still reads in this turn.
    if (status.code !== 0) clock.soon(() => client.received(unreadBytes(stream)));
    if (!refusals.has(status.code)) return sendStatus(status);
    const { authorization, isShared } = client;
    pace.add(client, authorization instanceof HoldfastError ? undefined : authorization.name, {
      send: () => sendStatus(status),
      disconnect() {
        // The connection of a load balancer also has the calls of others.
        if (isShared) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        else session?.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      },
    });
  };
  return paced;
}

/** Returns how many bytes of a refused call may still come, or have come and are not read: at most the window of its stream. */
function unreadBytes({ state, session }: ServerHttp2Stream): number {
  if (state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE) return 0;
  return session?.localSettings.initialWindowSize ?? 0;
}

function readBy(call: BaseCall, reader: MessageReader): void {
  call.decoder = reader;
  call.stream.once('end', () => reader.end());
  call.stream.once('close', () => reader.close());
  if (call.incomingEncoding === 'identity') return;
  const inflate = call.decompressMessage.bind(call);
  call.decompressMessage = async (message, encoding) => {
    let length = 0;
    try {
      const inflated = await inflate(message, encoding);
      length = inflated.length;
      return inflated;
    } finally {
      if (message[0] !== 0) reader.inflated(length);
    }
  };
}

/** Ends a call with the status of an error, and then has its client stop sending. */
function end(call: EndableCall, error: HoldfastError, clock: Clock): void {
  call.sendStatus(statusOf(error));
  const { stream } = call;
  if (stream === undefined) return;
  // A stream that is reset at once would lose its status.
  const reset = (): void =>
    clock.soon(() => {
      if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  if (stream.writableFinished) reset();
  else stream.once('finish', reset);
}
