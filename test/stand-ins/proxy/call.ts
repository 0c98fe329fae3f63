/** The requests and answers of a fault proxy. */

export type Json = Readonly<Record<string, unknown>>;

/** One request in the proxy's log. */
export interface Call {
  /** The number of the request in the order of arrival, from 1. `restartCount()` starts at 1 again. */
  readonly n: number;
  /** The operation in the target header, such as `UpdateItem` or `SendMessageBatch`. */
  readonly operation: string;
  /** The tables or the queue that the request names. */
  readonly resources: readonly string[];
  readonly index?: string | undefined;
  /** The item keys as JSON (DynamoDB), or the message group ids or receipt handles (SQS). */
  readonly keys: readonly string[];
  /** The condition, update and key condition expressions of a DynamoDB request, in this order. */
  readonly expressions: readonly string[];
  /** The time at which the request arrived, in ms since the proxy's start. */
  readonly atMs: number;
  readonly body: Json;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A call with its result: the HTTP status, and the fault if the proxy injected one. */
export interface LoggedCall extends Call {
  status?: number;
  fault?: string;
}

/**
 * The decision of a hook about a call: `lose` destroys the caller's socket, an answer replaces the real one, undefined
 * does nothing.
 */
export type Intervention = 'lose' | Answer | undefined;

export interface Hooks {
  /**
   * Runs before the proxy forwards a request. A returned answer replaces the stand-in's answer; a promise delays the
   * call.
   */
  beforeRequest?(n: number, call: Call): Intervention | Promise<Intervention>;
  /**
   * Runs after the stand-in has answered a request, so that the request's writes have taken effect, and before the
   * caller gets the answer.
   */
  afterRequest?(n: number, call: Call, answer: Answer): Intervention | Promise<Intervention>;
}

export const amzJson = 'application/x-amz-json-1.0';

let answered = 0;

/** Makes an answer that the proxy gives itself, in the format of the AWS JSON protocol. */
export function answerOf(status: number, body: Json, headers: Readonly<Record<string, string>> = {}): Answer {
  const id = `PROXY${String(++answered).padStart(20, '0')}`;
  return {
    status,
    headers: { 'content-type': amzJson, 'x-amzn-requestid': id, ...headers },
    body: JSON.stringify(body),
  };
}

/** Makes the HTTP 500 answer of an internal error of AWS, which the SDK retries. */
export function serverError(type: string): Answer {
  return answerOf(500, { __type: type, message: 'Internal server error' });
}
