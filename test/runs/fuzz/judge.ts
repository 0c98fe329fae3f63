/** Judges the server's answers to fuzzed calls. */

import { codeNumber } from '../../../src/core/codec/item-error.ts';
import { type Code, codes, reasons } from '../../../src/core/errors.ts';

/** The end of a gRPC call as its client saw it. */
export interface GrpcAnswer {
  /** The HTTP status, if there was a response. */
  readonly http: number | undefined;
  /** The gRPC status; NaN without one. */
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
  /** The number of the HTTP/2 error with which the server reset the call; undefined if it did not. */
  readonly resetBy: number | undefined;
  /** True if the client cancelled the call, or its connection ended. */
  readonly cancelled: boolean;
}

const known: ReadonlySet<string> = new Set(reasons);
const numbers = new Map<number, string>(codes.map((code) => [codeNumber(code), code]));
/** The HTTP statuses that Node, grpc-js and Connect answer to a request that is none of their protocol. */
const httpRefusals: ReadonlySet<number> = new Set([400, 404, 405, 408, 413, 415, 417, 431, 505]);
/** The error of HTTP/2 by which a server says that it failed. */
const internalReset = 2;

/** Returns a sentence about what is wrong with an error, or undefined if it is a documented one. */
export function errorProblem(code: number, reason: string | undefined, message: string): string | undefined {
  const name = numbers.get(code);
  if (name === undefined) return `status ${code} is none of the documented codes: ${message}`;
  if (name === 'INTERNAL') return `INTERNAL ${reason}: ${message}`;
  if (reason === undefined) return `${name} has no reason: ${message}`;
  return known.has(reason)
    ? undefined
    : `${name} has the reason ${reason}, which is none of the documented ones`;
}

export function grpcProblem(answer: GrpcAnswer): string | undefined {
  const { http, code, message, reason, resetBy, cancelled } = answer;
  if (code === 0) return undefined;
  if (!Number.isNaN(code)) return errorProblem(code, reason, message);
  if (http !== undefined && http !== 200)
    return httpRefusals.has(http) ? undefined : `HTTP status ${http} without a gRPC status`;
  if (resetBy === internalReset) return 'the call was reset with INTERNAL_ERROR';
  if (cancelled || resetBy !== undefined) return undefined;
  return 'the call ended without a status';
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

interface ConnectError {
  readonly code?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: readonly {
    readonly type: string;
    readonly debug?: { readonly reason?: string };
    readonly value: string;
  }[];
}

export function httpProblem({ status, contentType, body }: HttpAnswer): string | undefined {
  const error = errorOf(contentType, body);
  if (error?.code !== undefined) {
    // Connect spells one code in another way.
    const name = error.code === 'canceled' ? 'CANCELLED' : error.code.toUpperCase();
    return errorProblem(codeNumber(name as Code), reasonOf(error), error.message ?? '');
  }
  if (status < 400 || status === 503) return undefined;
  return httpRefusals.has(status)
    ? undefined
    : `HTTP status ${status} without an error: ${body.toString().slice(0, 200)}`;
}

function reasonOf({ reason, details = [] }: ConnectError): string | undefined {
  if (reason !== undefined) return reason;
  const info = details.find(({ type }) => type === 'google.rpc.ErrorInfo');
  if (info === undefined) return undefined;
  // The first field of ErrorInfo is its reason.
  const bytes = Buffer.from(info.value, 'base64');
  return bytes.toString('utf8', 2, 2 + (bytes[1] ?? 0));
}

/** Returns the error of a JSON body, or that of the last message of a stream. */
function errorOf(contentType: string, body: Buffer): ConnectError | undefined {
  if (contentType.startsWith('application/json')) return parsed(body);
  if (!contentType.startsWith('application/connect+')) return undefined;
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (((body[at] as number) & 2) !== 0) {
      return (parsed(body.subarray(at + 5, end)) as { error?: ConnectError } | undefined)?.error;
    }
    at = end;
  }
  return undefined;
}

function parsed(json: Buffer): ConnectError | undefined {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the problem of the first wrong error among the items of a response, which is given in the form of JSON. */
export function itemProblem(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null) return undefined;
  const { code, reason, message } = response as { code?: unknown; reason?: unknown; message?: unknown };
  if (typeof code === 'number' && typeof message === 'string') {
    return errorProblem(code, typeof reason === 'string' ? reason : undefined, message);
  }
  for (const value of Object.values(response)) {
    const problem = itemProblem(value);
    if (problem !== undefined) return `an item of the response has ${problem}`;
  }
  return undefined;
}
