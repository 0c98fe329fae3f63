import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Receipts, type Refusal } from './receipts.ts';

export interface SqsFaults {
  /** Returns an error if the whole call to SQS should fail. The call is then not forwarded to the stand-in. */
  call?:
    | ((action: string, body: Record<string, unknown>) => { status: number; type: string } | undefined)
    | undefined;
  /** Returns an error if this entry of an SQS batch should fail. The other entries are forwarded to the stand-in. */
  entry?: ((action: string, entry: Record<string, unknown>) => Omit<Refusal, 'Id'> | undefined) | undefined;
  /** Returns true if the response to an SQS call should be lost after the call has taken effect. */
  loseAnswer?: ((action: string) => boolean) | undefined;
}

/** A proxy in front of an SQS stand-in that refuses receipt handles as AWS does, injects failures and records calls. */
export class SqsFront {
  readonly faults: SqsFaults = {};
  readonly calls: {
    readonly action: string;
    readonly body: Record<string, unknown>;
    readonly atMs: number;
  }[] = [];
  readonly #receipts: Receipts;
  readonly #now: () => number;
  readonly #target: string;
  readonly #server: Server;
  readonly #atOnce = new Map<string, { now: number; most: number }>();
  #shortCalls = 0;

  private constructor(target: string, now: () => number) {
    this.#target = target;
    this.#now = now;
    this.#receipts = new Receipts(now);
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  /** Starts the proxy on this port of 127.0.0.1; 0 chooses a free port. Throws EADDRINUSE if the port is taken. */
  static async open(target: string, now: () => number, port = 0): Promise<SqsFront> {
    const front = new SqsFront(target, now);
    front.#server.listen(port, '127.0.0.1');
    await once(front.#server, 'listening');
    return front;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** True while a call to SQS other than a long poll is in flight. */
  get busy(): boolean {
    return this.#shortCalls > 0;
  }

  count(action: string): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  forget(): void {
    this.calls.length = 0;
    this.#atOnce.clear();
  }

  /** Returns the largest number of calls of one SQS action that were in flight at the same time. */
  mostAtOnce(action: string): number {
    return this.#atOnce.get(action)?.most ?? 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const action = String(request.headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
    const body = (await readJson(request)) as Record<string, unknown>;
    this.calls.push({ action, body, atMs: this.#now() });
    const isLong = action === 'ReceiveMessage' && Number(body.WaitTimeSeconds ?? 0) > 0;
    if (!isLong) this.#shortCalls++;
    const atOnce = this.#atOnce.get(action) ?? { now: 0, most: 0 };
    this.#atOnce.set(action, atOnce);
    atOnce.most = Math.max(atOnce.most, ++atOnce.now);
    try {
      const failure = this.faults.call?.(action, body);
      const answer = failure === undefined ? await this.#pass(request, action, body) : errorOf(failure);
      if (this.faults.loseAnswer?.(action)) response.destroy();
      else {
        response.writeHead(answer.status, {
          'content-type': 'application/x-amz-json-1.0',
          ...answer.headers,
        });
        response.end(answer.text);
      }
    } catch {
      response.destroy();
    } finally {
      if (!isLong) this.#shortCalls--;
      atOnce.now--;
    }
  }

  async #pass(request: IncomingMessage, action: string, body: Record<string, unknown>): Promise<HttpAnswer> {
    const refused: Refusal[] = [];
    let passed = body;
    if (action.endsWith('Batch')) {
      const entries = (body.Entries ?? []) as (Record<string, unknown> & {
        Id: string;
        ReceiptHandle: string;
      })[];
      const left = entries.filter((entry) => {
        const fault = this.faults.entry?.(action, entry);
        const refusal =
          fault !== undefined
            ? { Id: entry.Id, ...fault }
            : action === 'SendMessageBatch'
              ? undefined
              : this.#receipts.refusal(entry);
        if (refusal !== undefined) refused.push(refusal);
        return refusal === undefined;
      });
      if (left.length === 0)
        return { status: 200, headers: {}, text: JSON.stringify({ Successful: [], Failed: refused }) };
      for (const entry of left) {
        if (action === 'DeleteMessageBatch') this.#receipts.noteDeleted(entry);
        if (action === 'ChangeMessageVisibilityBatch') this.#receipts.noteVisibility(entry);
      }
      passed = { ...body, Entries: left };
    }
    const answer = await forward(this.#target, request, passed);
    if (answer.status !== 200) return answer;
    if (action === 'ReceiveMessage') this.#noteReceipts(body, answer.text);
    if (refused.length === 0) return answer;
    const parsed = JSON.parse(answer.text) as { Failed?: Refusal[] };
    return { ...answer, text: JSON.stringify({ ...parsed, Failed: [...(parsed.Failed ?? []), ...refused] }) };
  }

  #noteReceipts(body: Record<string, unknown>, text: string): void {
    const { Messages = [] } = JSON.parse(text) as {
      Messages?: { MessageId: string; ReceiptHandle: string }[];
    };
    for (const { MessageId, ReceiptHandle } of Messages) {
      const visibilityMs = Number(body.VisibilityTimeout ?? 32) * 1_000;
      this.#receipts.noteReceived(String(body.QueueUrl), MessageId, ReceiptHandle, visibilityMs);
    }
  }
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

async function forward(target: string, request: IncomingMessage, body: unknown): Promise<HttpAnswer> {
  const answer = await fetch(`${target}${request.url ?? '/'}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': String(request.headers['x-amz-target']),
      authorization: String(request.headers.authorization ?? ''),
    },
    body: JSON.stringify(body),
  });
  const queryError = answer.headers.get('x-amzn-query-error');
  const headers: Record<string, string> = queryError === null ? {} : { 'x-amzn-query-error': queryError };
  return { status: answer.status, headers, text: await answer.text() };
}

function errorOf({ status, type }: { status: number; type: string }): HttpAnswer {
  return {
    status,
    headers: {},
    text: JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message: type }),
  };
}
