import type { CallOptions } from '../../../src/client/transport.ts';
import { localIdentity } from '../../../src/node/in-process.ts';
import type { CallContext } from '../../../src/rpc/api/api.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';
import { gaveUp, type Network, pingedMs, timedOut, unreachable } from './network.ts';
import type { SimProcess } from './process.ts';

type Execute<R> = (api: NodeApi, context: CallContext) => Promise<R>;
/** Undefined: its node is dead, or it was lost; nobody knows whether it happened. */
type Answer<R> = { readonly value: R } | { readonly error: unknown } | undefined;

/** A call of one answer: late, lost on the way there or back, or made twice by a proxy that heard nothing. */
export class SimCall<R> {
  readonly promise: Promise<R>;
  readonly #network: Network;
  readonly #process: SimProcess;
  readonly #timeoutMs: number | undefined;
  readonly #execute: Execute<R>;
  readonly #beganAtMs: number;
  /** The caller is gone, as the node sees it. */
  readonly #gone = new AbortController();
  #finish: (answer: Exclude<Answer<R>, undefined>) => void = () => {};

  constructor(network: Network, process: SimProcess, options: CallOptions, execute: Execute<R>) {
    this.#network = network;
    this.#process = process;
    this.#timeoutMs = options.timeoutMs;
    this.#execute = execute;
    this.#beganAtMs = network.world.elapsedMs;
    this.promise = this.#awaited(options.signal);
    network.world.begin(this.#make());
  }

  #awaited(signal: AbortSignal | undefined): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    promise.catch(() => {});
    const leave = (): void => this.#network.noticed(3_000, pingedMs.node, () => this.#gone.abort(gaveUp()));
    const give = (error: Error): void => {
      this.#finish({ error });
      leave();
    };
    const abandon = (): void => give(gaveUp());
    const timeoutMs = this.#timeoutMs;
    const stopTimer =
      timeoutMs === undefined
        ? undefined
        : this.#process.clock.after(timeoutMs, () => give(timedOut(timeoutMs)));
    const forget = this.#process.onDeath(leave);
    this.#finish = (answer) => {
      this.#finish = () => {};
      stopTimer?.();
      forget();
      signal?.removeEventListener('abort', abandon);
      if ('value' in answer) resolve(answer.value);
      else reject(answer.error);
    };
    signal?.addEventListener('abort', abandon);
    if (signal?.aborted === true) abandon();
    return promise;
  }

  async #make(): Promise<void> {
    const { world } = this.#network;
    await this.#network.travel();
    const lostThere = world.strikes('lost request', 0.02);
    const answer = lostThere ? undefined : await this.#served();
    await this.#network.travel();
    if (answer !== undefined && !world.strikes('lost response', 0.02)) return this.#arrive(answer);
    // A reset is noticed, silence is not.
    this.#network.noticed(3_000, pingedMs.client, () =>
      this.#arrive({ error: unreachable('the connection was lost') }),
    );
  }

  #arrive(answer: Exclude<Answer<R>, undefined>): void {
    this.#process.run(() => this.#finish(answer));
  }

  async #served(): Promise<Answer<R>> {
    const { world } = this.#network;
    const first = this.#once();
    if (!world.strikes('doubled call', 0.03)) return first;
    await Promise.race([first, world.clock.sleep(world.between(0, 3_000))]);
    return this.#once();
  }

  async #once(): Promise<Answer<R>> {
    const serving = this.#network.serving();
    if (serving === undefined) return { error: unreachable('none is up') };
    const { api, clock, life } = serving;
    const leftMs =
      this.#timeoutMs === undefined
        ? undefined
        : this.#timeoutMs - (this.#network.world.elapsedMs - this.#beganAtMs);
    const context: CallContext = {
      identity: localIdentity,
      notAfterMs: leftMs === undefined ? undefined : clock.now() + leftMs,
      traceparent: '',
      signal: this.#gone.signal,
    };
    const { promise: death, resolve: died } = Promise.withResolvers<undefined>();
    const forget = life.onDeath(() => died(undefined));
    const done = this.#execute(api, context).then(
      (value): Answer<R> => ({ value }),
      (error: unknown): Answer<R> => ({ error }),
    );
    const answer = await Promise.race([done, death]);
    forget();
    return answer;
  }
}
