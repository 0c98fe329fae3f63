import { silentLog } from '../../src/ports/log.ts';
import type { Registry } from '../../src/ports/registry.ts';
import { createService, type RunningService } from '../../src/service/create-service.ts';
import { type Call, Machine, type Ports, target } from './machine.ts';
import { StillClock } from './still-clock.ts';

/** What an actor's script may use: a node of its own, and decisions that the search takes for it. */
export interface Stage extends RunningService {
  /** One of these; the search tries each. */
  choose<T extends string>(options: readonly T[]): Promise<T>;
}

/** What an actor does once; resolves with what it says at its end, e.g. to its caller. */
export type Script = (stage: Stage) => Promise<string>;

export type Asked = Call | { readonly port: 'choice'; readonly options: readonly string[] };

interface Open {
  readonly asked: Asked;
  readonly answered: (answer: unknown) => void;
}

/** Configuration is not searched: one queue, created long ago, and no marks of the reconciler. */
const registry: Registry = {
  get: async () => undefined,
  put: async () => true,
  list: async () => [],
};

/** Tells what the ports offer; nobody calls it. */
const offered = new Machine().ports;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Real code on its way: it runs until every call that it made waits for an answer. */
export class Performance {
  readonly clock = new StillClock();
  readonly #open: Open[] = [];
  /** Undefined: it has not ended yet. */
  said: string | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  static async begin(script: Script, nowMs: number): Promise<Performance> {
    const performance = new Performance();
    performance.clock.nowMs = nowMs;
    performance.#run(script).catch((thrown: unknown) => {
      performance.#failure = { thrown };
    });
    await performance.#rest();
    return performance;
  }

  get asked(): readonly Asked[] {
    return this.#open.map((open) => open.asked);
  }

  async answer(index: number, answer: unknown, nowMs: number): Promise<void> {
    const [open] = this.#open.splice(index, 1);
    this.clock.nowMs = nowMs;
    this.clock.asked = false;
    open?.answered(answer);
    await this.#rest();
  }

  async #rest(): Promise<void> {
    await turn();
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  #ask(asked: Asked): Promise<unknown> {
    return new Promise((answered) => {
      this.#open.push({ asked, answered });
    });
  }

  /** Looks like the port, and asks instead of calling it. */
  #port<Name extends Call['port']>(port: Name): Ports[Name] {
    return new Proxy(offered[port], {
      get: (real, method) => {
        const known: unknown = Reflect.get(real, method);
        if (typeof known !== 'function') return known;
        return (...args: readonly unknown[]) => this.#ask({ port, method: String(method), args });
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
    const choose = (options: readonly string[]) => this.#ask({ port: 'choice', options });
    this.said = await script({ ...running, choose } as Stage);
  }
}
