/** Answers gRPC calls to which no method is registered: grpc-js would answer them without a reason. */
import type { handleBidiStreamingCall, Server } from '@grpc/grpc-js';
import { HoldfastError } from '../../../core/errors.ts';
import { statusOf } from '../status.ts';

const mostPathChars = 256;

interface Handler {
  readonly func: handleBidiStreamingCall<Buffer, Buffer>;
  readonly serialize: (value: Buffer) => Buffer;
  readonly deserialize: (bytes: Buffer) => Buffer;
  readonly type: 'bidi';
  readonly path: string;
}

/** The internals of grpc-js's server. They are undocumented; without them the server does not start. */
interface ServerInternals {
  readonly handlers: Map<string, unknown>;
}

/** Has a server answer calls of unknown methods with UNIMPLEMENTED, reason NOT_BUILT. */
export function answerUnknownCalls(server: Server): void {
  const { handlers } = server as unknown as Partial<ServerInternals>;
  if (handlers === undefined) {
    throw new HoldfastError('INTERNAL', 'BUG', 'This version of grpc-js hides the methods of its server.', {
      help: 'Install the version of @grpc/grpc-js that Holdfast’s package names.',
    });
  }
  const get = handlers.get.bind(handlers);
  handlers.get = (path) => get(path) ?? unknownCall(path);
}

function unknownCall(path: string): Handler {
  const same = (bytes: Buffer): Buffer => bytes;
  // The handler of a stream begins at the headers, so that no message is read.
  const func: Handler['func'] = (call) => void call.emit('error', statusOf(unknown(path)));
  return { func, serialize: same, deserialize: same, type: 'bidi', path };
}

function unknown(path: string): HoldfastError {
  const name = path.slice(1, mostPathChars);
  return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `This server does not know the call '${name}'.`, {
    help: 'Check the name of the call, update the server, or use a client of its version.',
  });
}
