/** Keeps what was admitted at the headers of a gRPC call for the handler of the call, which begins with its message. */
import type { ServerHttp2Stream } from 'node:http2';
import type { Connection } from '../../auth/connections.ts';
import type { AdmittedCall } from '../admission/admission.ts';
import type { CallBytes } from '../admission/receiving-budget.ts';
import { connectionClosed } from '../authenticator.ts';
import type { GrpcStatus } from '../status.ts';

/** Internals of a grpc-js call object. They are undocumented, therefore each of them may be missing. */
export interface GrpcCallInternals {
  readonly call?: { sendStatus?(status: GrpcStatus): void; readonly stream?: ServerHttp2Stream };
}

/** The property of an HTTP/2 stream that holds its admitted call. */
const admittedKey = Symbol('admitted');

interface AdmittedStream {
  [admittedKey]?: AdmittedCall;
}

export function keepAdmitted(stream: ServerHttp2Stream, call: AdmittedCall): void {
  (stream as AdmittedStream)[admittedKey] = call;
}

function admittedOf(call: object): AdmittedCall | undefined {
  const { stream } = (call as GrpcCallInternals).call ?? {};
  return (stream as AdmittedStream | undefined)?.[admittedKey];
}

/** Returns the bytes that a gRPC call has in the budget of its node, or undefined if it was not admitted. */
export function bytesOf(call: object): CallBytes | undefined {
  return admittedOf(call)?.bytes;
}

/**
 * Returns the connection of an admitted call's client. The remote address cannot name it: two connections to two addresses
 * of this machine may come from the same address and port. Throws CANCELLED if grpc-js hides the stream of the call.
 */
export function callerOf(call: object): Connection {
  const admitted = admittedOf(call);
  if (admitted === undefined) throw connectionClosed;
  return admitted.connection;
}
