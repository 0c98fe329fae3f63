/** What a fault proxy saw of one request, and what it answers. */

export type Json = Readonly<Record<string, unknown>>;

/** One request, as the proxy's log keeps it. */
export interface Call {
  /** From 1, in the order of arrival; `restartCount()` begins anew. */
  readonly n: number;
  /** As in the target header: `UpdateItem`, `SendMessageBatch`, … */
  readonly operation: string;
  /** The tables, or the queue, that it names. */
  readonly resources: readonly string[];
  readonly index?: string | undefined;
  /** DynamoDB: the keys of the items, one JSON text each. SQS: group ids or handles. */
  readonly keys: readonly string[];
  /** DynamoDB: its condition, update and key condition expressions, in this order. */
  readonly expressions: readonly string[];
  /** Since the proxy's start. */
  readonly atMs: number;
  readonly body: Json;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of a call. `fault`: what the proxy did to it, where it did something. */
export interface LoggedCall extends Call {
  status?: number;
  fault?: string;
}

/** `lose`: the caller's socket is destroyed, before the request goes on or after its answer came. */
export type Verdict = 'lose' | Answer | undefined;

export interface Hooks {
  /** Before anything is forwarded. What it returns stands in for the upstream; a promise holds the call. */
  beforeRequest?(n: number, call: Call): Verdict | Promise<Verdict>;
  /** After the upstream answered (whatever it wrote is written), before the caller hears. */
  afterRequest?(n: number, call: Call, answer: Answer): Verdict | Promise<Verdict>;
}

export const amzJson = 'application/x-amz-json-1.0';

let answered = 0;

/** An answer of the proxy's own, in the shape of the AWS JSON protocol. */
export function answerOf(status: number, body: Json, headers: Readonly<Record<string, string>> = {}): Answer {
  const id = `PROXY${String(++answered).padStart(20, '0')}`;
  return {
    status,
    headers: { 'content-type': amzJson, 'x-amzn-requestid': id, ...headers },
    body: JSON.stringify(body),
  };
}

/** HTTP 500, as AWS answers when it is AWS's fault; the SDK retries it. */
export function serverError(type: string): Answer {
  return answerOf(500, { __type: type, message: 'Internal server error' });
}
