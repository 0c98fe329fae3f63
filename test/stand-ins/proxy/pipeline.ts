import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Call, Hooks, Json, LoggedCall } from './call.ts';
import { draw } from './chance.ts';
import type { Chances, CommonFaults } from './faults.ts';
import { type Outage, type ReceivedRequest, startFront } from './front.ts';
import { upstreamAt } from './upstream.ts';

export type CallDetails = Omit<Call, 'n' | 'atMs' | 'operation' | 'body'>;
export type Forward = (body?: string) => Promise<Answer>;

/**
 * The part of a fault proxy that depends on the AWS service: it reads the requests of the service and applies faults
 * of its own.
 */
export interface Protocol {
  detailsOf(operation: string, body: Json): Promise<CallDetails>;
  /**
   * Answers a call, mostly by `forward`. If a fault is injected, `call.fault` gets the name of the fault. `gone` is
   * aborted when the caller disconnects.
   */
  serve(call: LoggedCall, forward: Forward, gone: AbortSignal): Promise<Answer>;
  /** Resolves when the answer of a call that was served may be returned. */
  held?(call: Call): Promise<void>;
  throttled(call: Call): Answer;
  serverError(): Answer;
}

export interface PipelineOptions extends Hooks {
  /** The URL of the stand-in, such as `http://127.0.0.1:8000`. */
  readonly upstream: string;
  readonly seed: number;
}

/** A running proxy that injects faults: the interface that the proxies for DynamoDB and SQS share. */
export interface FaultProxy<Faults extends CommonFaults> {
  /** The URL to configure as the `endpoint` of an AWS SDK client. */
  readonly url: string;
  /**
   * The calls that the proxy has received since its start or `restartCount()`, in the order of arrival. Only the
   * newest 20,000 to 40,000 are kept.
   */
  readonly calls: readonly LoggedCall[];
  /** Returns the number of calls of an operation, or of all operations, since the start or `restartCount()`. */
  count(operation?: string): number;
  /** Forgets the logged calls and numbers the next call 1 again. Decisions by the seed repeat from that call on. */
  restartCount(): void;
  /** Replaces the proxy's faults that are named, and keeps the others. An undefined fault is switched off. */
  set(faults: Faults): Promise<void>;
  /** Replaces the hooks that the proxy runs for each request. An empty object removes all hooks. */
  hook(hooks: Hooks): void;
  /** Starts an outage of the proxy, which lasts until the next `outage()`. `undefined` ends the outage. */
  outage(kind: Outage | undefined): Promise<void>;
  close(): Promise<void>;
}

/**
 * The number of calls that the log of a proxy keeps, since a log of all calls of a long run under load would fill the
 * memory.
 */
const keptCalls = 20_000;

/** Returns the operation in the target header: `PutItem` for `DynamoDB_20120810.PutItem`. */
function operationOf(received: ReceivedRequest): string | undefined {
  const target = received.headers['x-amz-target'];
  return typeof target === 'string' ? target.slice(target.lastIndexOf('.') + 1) : undefined;
}

export interface Pipeline {
  readonly proxy: Omit<FaultProxy<CommonFaults>, 'set' | 'close'>;
  faults: CommonFaults;
  close(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1, which applies the faults common to all services to every call. */
export async function startPipeline(protocol: Protocol, options: PipelineOptions): Promise<Pipeline> {
  const { seed } = options;
  const upstream = upstreamAt(options.upstream);
  const startMs = performance.now();
  let hooks: Hooks = options;
  let calls: LoggedCall[] = [];
  let counted = new Map<string, number>();
  let arrived = 0;
  const state: { faults: CommonFaults } = { faults: {} };

  const happens = (what: keyof Chances, call: Call): boolean =>
    draw(seed, what, call.n) < (state.faults.chance?.[what] ?? 0);

  async function delay(call: Call, half: string): Promise<void> {
    const { fixedMs, jitterMs } = state.faults.latency ?? { fixedMs: 0, jitterMs: 0 };
    const ms = (fixedMs + jitterMs * draw(seed, 'latency', half, call.n)) / 2;
    if (ms > 0) await sleep(ms);
  }

  async function before(call: LoggedCall): Promise<Answer | 'lose' | undefined> {
    const intervention = await hooks.beforeRequest?.(call.n, call);
    if (intervention) return intervention;
    if (happens('loseRequest', call)) return 'lose';
    if (happens('serverError', call)) return protocol.serverError();
    return happens('throttle', call) ? protocol.throttled(call) : undefined;
  }

  async function through(call: LoggedCall, received: ReceivedRequest): Promise<Answer | 'lose'> {
    const early = await before(call);
    if (early !== undefined) {
      call.fault = early === 'lose' ? 'request lost' : `answered ${early.status} instead`;
      return early;
    }
    const forward: Forward = async (body = received.body) => {
      await delay(call, 'there');
      const forwarded = await upstream.forward({ ...received, body });
      await delay(call, 'back');
      return forwarded;
    };
    const answer = await protocol.serve(call, forward, received.gone);
    const late = (await hooks.afterRequest?.(call.n, call, answer)) || undefined;
    const lost = late ?? (happens('loseAnswer', call) ? 'lose' : undefined);
    if (lost !== undefined) call.fault = lost === 'lose' ? 'answer lost' : `answered ${lost.status} instead`;
    else await protocol.held?.(call);
    return lost ?? answer;
  }

  async function serve(received: ReceivedRequest): Promise<Answer | 'lose'> {
    const operation = operationOf(received);
    if (operation === undefined) return upstream.forward(received);
    const body = JSON.parse(received.body || '{}') as Json;
    // The call gets its number before the first await, so that the numbers follow the order of arrival.
    const call: LoggedCall = {
      n: ++arrived,
      atMs: performance.now() - startMs,
      operation,
      body,
      resources: [],
      keys: [],
      expressions: [],
    };
    calls.push(call);
    if (calls.length > 2 * keptCalls) calls = calls.slice(-keptCalls);
    counted.set(operation, (counted.get(operation) ?? 0) + 1);
    Object.assign(call, await protocol.detailsOf(operation, body));
    const answer = await through(call, received);
    if (answer !== 'lose') call.status = answer.status;
    return answer;
  }

  const front = await startFront(serve, protocol.serverError);
  const proxy: Pipeline['proxy'] = {
    url: front.url,
    get calls() {
      return calls;
    },
    count: (operation) => (operation === undefined ? arrived : (counted.get(operation) ?? 0)),
    restartCount() {
      calls = [];
      counted = new Map();
      arrived = 0;
    },
    hook(next) {
      hooks = next;
    },
    outage: front.outage,
  };
  const close = async (): Promise<void> => {
    await front.close();
    upstream.close();
  };
  return Object.assign(state, { proxy, close });
}
