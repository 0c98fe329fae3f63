import type { CallOptions } from '../../../src/client/transport.ts';
import { localIdentity } from '../../../src/node/in-process.ts';
import type { CallContext } from '../../../src/rpc/api/api.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';
import { gaveUp, keepAliveMs, type Network, timedOut, unreachable } from './network.ts';
import type { ServingNode } from './node-life.ts';
import type { SimProcess } from './process.ts';

type Execute<R> = (api: NodeApi, context: CallContext) => Promise<R>;
/**
 * The result of a simulated call. Undefined if the node died or a message was lost: the call may or may not have taken
 * effect.
 */
type CallResult<R> = { readonly value: R } | { readonly error: unknown } | undefined;

/**
 * A call with one response on the simulated network. The request or the response may be late or lost, and a proxy that got
 * no response may send the request twice.
 */
export class SimCall<R> {
  readonly promise: Promise<R>;
  readonly #network: Network;
  readonly #process: SimProcess;
  readonly #timeoutMs: number | undefined;
  readonly #execute: Execute<R>;
  readonly #beganAtMs: number;
  /** Aborts the call on the node when the node notices that the caller is gone. */
  readonly #callerGone = new AbortController();
  #finish: (result: Exclude<CallResult<R>, undefined>) => void = () => {};

  constructor(network: Network, process: SimProcess, options: CallOptions, execute: Execute<R>) {
    this.#network = network;
    this.#process = process;
    this.#timeoutMs = options.timeoutMs;
    this.#execute = execute;
    this.#beganAtMs = network.world.elapsedMs;
    this.promise = this.#awaitResult(options.signal);
    network.world.runInBackground(this.#run());
  }

  #awaitResult(signal: AbortSignal | undefined): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    promise.catch(() => {});
    const noticeCallerGone = (): void =>
      this.#network.notifyLater(3_000, keepAliveMs.node, () => this.#callerGone.abort(gaveUp()));
    const giveUp = (error: Error): void => {
      this.#finish({ error });
      noticeCallerGone();
    };
    const abandon = (): void => giveUp(gaveUp());
    const timeoutMs = this.#timeoutMs;
    const stopTimer =
      timeoutMs === undefined
        ? undefined
        : this.#process.clock.after(timeoutMs, () => giveUp(timedOut(timeoutMs)));
    const removeListener = this.#process.onDeath(noticeCallerGone);
    this.#finish = (result) => {
      this.#finish = () => {};
      stopTimer?.();
      removeListener();
      signal?.removeEventListener('abort', abandon);
      if ('value' in result) resolve(result.value);
      else reject(result.error);
    };
    signal?.addEventListener('abort', abandon);
    if (signal?.aborted === true) abandon();
    return promise;
  }

  async #run(): Promise<void> {
    const { world } = this.#network;
    await this.#network.travel();
    const isRequestLost = world.injectFault('lost request', 0.02);
    const result = isRequestLost ? undefined : await this.#executeMaybeTwice();
    await this.#network.travel();
    if (result !== undefined && !world.injectFault('lost response', 0.02)) return this.#deliver(result);
    // The client notices a connection reset soon, but a lost message only when the keep-alive fails.
    this.#network.notifyLater(3_000, keepAliveMs.client, () =>
      this.#deliver({ error: unreachable('the connection was lost') }),
    );
  }

  #deliver(result: Exclude<CallResult<R>, undefined>): void {
    this.#process.run(() => this.#finish(result));
  }

  async #executeMaybeTwice(): Promise<CallResult<R>> {
    const { world } = this.#network;
    const first = this.#executeOnce();
    if (!world.injectFault('doubled call', 0.03)) return first;
    await Promise.race([first, world.clock.sleep(world.between(0, 3_000))]);
    return this.#executeOnce();
  }

  async #executeOnce(): Promise<CallResult<R>> {
    const serving = this.#network.pickServing();
    if (serving === undefined) return { error: unreachable('none is up') };
    const { promise: death, resolve: died } = Promise.withResolvers<undefined>();
    const removeListener = serving.life.onDeath(() => died(undefined));
    const done = this.#executeOn(serving).then(
      (value): CallResult<R> => ({ value }),
      (error: unknown): CallResult<R> => ({ error }),
    );
    const result = await Promise.race([done, death]);
    removeListener();
    return result;
  }

  async #executeOn({ api, clock, life }: ServingNode): Promise<R> {
    await life.awake();
    const leftMs =
      this.#timeoutMs === undefined
        ? undefined
        : this.#timeoutMs - (this.#network.world.elapsedMs - this.#beganAtMs);
    const context: CallContext = {
      identity: localIdentity,
      notAfterMs: leftMs === undefined ? undefined : clock.monotonic() + leftMs,
      traceparent: '',
      signal: this.#callerGone.signal,
    };
    return this.#execute(api, context);
  }
}
