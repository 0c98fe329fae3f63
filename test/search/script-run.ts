import { silentLog } from '../../src/ports/log.ts';
import type { Registry } from '../../src/ports/registry.ts';
import { createService, type RunningService } from '../../src/service/create-service.ts';
import { ManualClock } from './manual-clock.ts';
import { ManualEngine, type PortCall, type Ports, target } from './manual-engine.ts';

/** The node of an actor's script, and the choices that the search makes for the script. */
export interface ScriptContext extends RunningService {
  /** Returns one of the options. The search tries each of them. */
  choose<T extends string>(options: readonly T[]): Promise<T>;
}

/** The code that an actor runs. Resolves with the text that it returns at its end, such as an acknowledged key. */
export type Script = (context: ScriptContext) => Promise<string>;

/** A call that an actor's script waits for: a call of the store or the broker, or a choice that the search makes. */
export type ScriptCall = PortCall | { readonly port: 'choice'; readonly options: readonly string[] };

interface OpenCall {
  readonly call: ScriptCall;
  readonly resolve: (answer: unknown) => void;
}

/** An empty registry. The search does not cover configuration or the reconciler's notes. */
const registry: Registry = {
  get: async () => undefined,
  put: async () => true,
  list: async () => [],
};

/** A store and a broker whose methods a script's own store and broker imitate. Their own methods are never called. */
const portShapes = new ManualEngine().ports;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A running script of an actor. It runs real code until each call that it made waits for an answer. */
export class ScriptRun {
  readonly clock = new ManualClock();
  readonly #open: OpenCall[] = [];
  /** The text that the script returned. Undefined while the script runs. */
  returned: string | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  static async begin(script: Script, nowMs: number): Promise<ScriptRun> {
    const run = new ScriptRun();
    run.clock.nowMs = nowMs;
    run.#run(script).catch((thrown: unknown) => {
      run.#failure = { thrown };
    });
    await run.#settle();
    return run;
  }

  get openCalls(): readonly ScriptCall[] {
    return this.#open.map((open) => open.call);
  }

  async answer(index: number, answer: unknown, nowMs: number): Promise<void> {
    const [open] = this.#open.splice(index, 1);
    this.clock.nowMs = nowMs;
    this.clock.wasRead = false;
    open?.resolve(answer);
    await this.#settle();
  }

  async #settle(): Promise<void> {
    await nextTurn();
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  #recordCall(call: ScriptCall): Promise<unknown> {
    return new Promise((resolve) => {
      this.#open.push({ call, resolve });
    });
  }

  /** Returns a store or a broker whose methods record the call and wait until the search answers it. */
  #port<Name extends PortCall['port']>(port: Name): Ports[Name] {
    return new Proxy(portShapes[port], {
      get: (real, method) => {
        const member: unknown = Reflect.get(real, method);
        if (typeof member !== 'function') return member;
        return (...args: readonly unknown[]) => this.#recordCall({ port, method: String(method), args });
      },
    });
  }

  async #run(script: Script): Promise<void> {
    const running = await createService({
      store: this.#port('store'),
      broker: this.#port('broker'),
      registry,
      clock: this.clock,
      log: silentLog,
      node: 'node',
      createQueues: true,
    });
    await running.context.queues.ensure(target);
    const choose = (options: readonly string[]) => this.#recordCall({ port: 'choice', options });
    this.returned = await script({ ...running, choose } as ScriptContext);
  }
}
