import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Call, Hooks, Json, LoggedCall } from './call.ts';
import { draw } from './chance.ts';
import type { Chances, CommonFaults } from './faults.ts';
import { type Outage, type Received, startFront } from './front.ts';
import { upstreamAt } from './upstream.ts';

export type Seen = Omit<Call, 'n' | 'atMs' | 'operation' | 'body'>;
export type Forward = (body?: string) => Promise<Answer>;

/** What is particular to one service's wire. */
export interface Protocol {
  see(operation: string, body: Json): Promise<Seen>;
  /** Answers the call, mostly by `forward`. Says in `call.fault` what it did instead. `gone`: its caller is. */
  serve(call: LoggedCall, forward: Forward, gone: AbortSignal): Promise<Answer>;
  throttled(call: Call): Answer;
  serverError(): Answer;
}

export interface PipelineOptions extends Hooks {
  /** `http://127.0.0.1:<port>` of the stand-in. */
  readonly upstream: string;
  readonly seed: number;
}

/** The part that both proxies share. */
export interface FaultProxy<Faults extends CommonFaults> {
  /** For the client's `endpoint`. */
  readonly url: string;
  /** The calls since the start or `restartCount()`, in the order of arrival; of very many the newest. */
  readonly calls: readonly LoggedCall[];
  /** How many of them named this operation, or of all. */
  count(operation?: string): number;
  /** Forgets the calls; the next is number 1. Draws by seed repeat from there. */
  restartCount(): void;
  /** Replaces the parts that are named, at once; an undefined part is switched off. */
  set(faults: Faults): Promise<void>;
  /** Replaces the hooks; none: no hooks. */
  hook(hooks: Hooks): void;
  /** Until it is called again; undefined ends it. */
  outage(kind: Outage | undefined): Promise<void>;
  close(): Promise<void>;
}

/** A long run under load must not be kept whole. */
const keptCalls = 20_000;

/** The target header's last part, `DynamoDB_20120810.PutItem` → `PutItem`. */
function operationOf(received: Received): string | undefined {
  const target = received.headers['x-amz-target'];
  return typeof target === 'string' ? target.slice(target.lastIndexOf('.') + 1) : undefined;
}

export interface Pipeline {
  readonly proxy: Omit<FaultProxy<CommonFaults>, 'set' | 'close'>;
  faults: CommonFaults;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and takes every call through the faults that any service can have. */
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
    const verdict = await hooks.beforeRequest?.(call.n, call);
    if (verdict) return verdict;
    if (happens('loseRequest', call)) return 'lose';
    if (happens('serverError', call)) return protocol.serverError();
    return happens('throttle', call) ? protocol.throttled(call) : undefined;
  }

  async function through(call: LoggedCall, received: Received): Promise<Answer | 'lose'> {
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
    return lost ?? answer;
  }

  async function serve(received: Received): Promise<Answer | 'lose'> {
    const operation = operationOf(received);
    if (operation === undefined) return upstream.forward(received);
    const body = JSON.parse(received.body || '{}') as Json;
    // Numbered before anything is awaited, so that numbers are in the order of arrival.
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
    Object.assign(call, await protocol.see(operation, body));
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
