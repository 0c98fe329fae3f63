/**
 * The interceptor by which grpc-js admits or refuses each call at its headers. It replaces the reader of the call's
 * messages, because that of grpc-js keeps up to the largest message of every call, without regard to its caller.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Admission } from '../admission/admission.ts';
import { MessageReader } from '../admission/message-reader.ts';
import type { Authenticator } from '../authenticator.ts';
import { mostMessageBytes } from '../parse.ts';
import { type GrpcStatus, statusOf } from '../status.ts';

/** The internals of grpc-js's object of a call. They are undocumented; `ensureInternals` checks that they are there. */
interface BaseCall {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  readonly incomingEncoding: string;
  decoder: { write(chunk: Buffer): Buffer[] };
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
  sendStatus(status: GrpcStatus): void;
}

type EndableCall = Pick<BaseCall, 'sendStatus'> & Partial<BaseCall>;

function ensureInternals(call: object): asserts call is BaseCall {
  const { stream, metadata, decoder, decompressMessage } = call as Partial<BaseCall>;
  if (stream && metadata && decoder && decompressMessage) return;
  throw new HoldfastError('INTERNAL', 'BUG', 'This version of grpc-js hides the parts of a call.', {
    help: 'Install the version of @grpc/grpc-js that Holdfast’s package names.',
  });
}

export interface AdmissionDeps {
  readonly admission: Admission;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
}

export function admissionInterceptor({ admission, authenticator, clock }: AdmissionDeps): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const base: object = call;
    try {
      ensureInternals(base);
      const { session } = base.stream;
      const socket = session === undefined || session.destroyed ? undefined : session.socket;
      const headers = { ...base.metadata.getMap(), host: call.getHost() };
      const { bytes, identity } = admission.admit(authenticator, path, socket, headers);
      const reader = new MessageReader({
        bytes,
        timer: admission.timer,
        mostBytes: identity === undefined ? limits.strangerMessageBytes : mostMessageBytes,
        isStream: requestStream,
        inflates: base.incomingEncoding !== 'identity',
        refuse: (error) => end(base, error, clock),
      });
      readBy(base, reader);
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

function readBy(call: BaseCall, reader: MessageReader): void {
  call.decoder = reader;
  call.stream.once('end', () => reader.end());
  call.stream.once('close', () => reader.close());
  if (call.incomingEncoding === 'identity') return;
  const inflate = call.decompressMessage.bind(call);
  call.decompressMessage = async (message, encoding) => {
    try {
      return await inflate(message, encoding);
    } finally {
      if (message[0] !== 0) reader.inflated();
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
