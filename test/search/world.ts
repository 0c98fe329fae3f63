import type { Change, WriteOutcome } from '../../src/ports/task-store.ts';
import type { Actor, SearchCase, SetupStep } from './case.ts';
import { startMs } from './manual-clock.ts';
import type { SendOutcome } from './manual-engine.ts';
import { checkAppend } from './rules.ts';
import type { Script, ScriptCall } from './script-run.ts';
import { type ScriptState, ScriptStates } from './script-states.ts';
import { reconciler } from './scripts.ts';
import { nextMoment, type StoreState, StoreStates } from './store-state.ts';
import { ValueNumbers } from './value-numbers.ts';

/** A state of the world (the simulated cluster) of a search case: store and broker, time, and each actor's script. */
export interface WorldState {
  readonly store: StoreState;
  readonly nowMs: number;
  /** The state of each actor's script. Undefined if the actor is not running its script. */
  readonly scriptStates: readonly (ScriptState | undefined)[];
  /** How often each actor with a limit has started its script. */
  readonly starts: readonly number[];
  /** The texts that scripts returned, for example the keys of acknowledged submissions. */
  readonly returned: readonly string[];
  /** How many crashes of actors may still happen. */
  readonly crashes: number;
  /** How many sends of dispatch messages may still fail, be lost or be doubled. */
  readonly sendFaults: number;
  /** True once a dispatch message was lost. */
  readonly messageLost: boolean;
}

/** One step that may happen next in the simulated cluster, with the state of the cluster after the step. */
export interface WorldStep {
  readonly description: string;
  readonly to: WorldState;
}

function keyOfActor(scriptState: ScriptState | undefined, starts: number): number {
  return (scriptState?.id ?? 0) * 8 + starts;
}

/**
 * The simulated cluster of a search case: its states, and the steps between them. Remembers each effect that it has
 * computed.
 */
export class World {
  readonly #numbers = new ValueNumbers();
  readonly #stores = new StoreStates(this.#numbers);
  readonly #case: SearchCase;
  readonly #statesByActor: readonly ScriptStates[];
  readonly #reconciler: ScriptStates;
  readonly #slowMs: number;
  #lastStateId = 0;

  constructor(searchCase: SearchCase) {
    this.#case = searchCase;
    const statesByScript = new Map<string, ScriptStates>();
    const scripts = [...new Set(searchCase.actors.map((actor) => actor.script))];
    // Actors with the same script and the same clock are interchangeable, so they share their script states.
    this.#statesByActor = searchCase.actors.map(({ script, slowMs = 0 }) => {
      const name = `${scripts.indexOf(script)} ${slowMs}`;
      const states = statesByScript.get(name) ?? this.#statesOf(script, slowMs);
      statesByScript.set(name, states);
      return states;
    });
    this.#reconciler = this.#statesOf(reconciler, 0);
    this.#slowMs = Math.max(0, ...searchCase.actors.map(({ slowMs = 0 }) => slowMs));
  }

  #statesOf(script: Script, slowMs: number): ScriptStates {
    return new ScriptStates(script, -slowMs, this.#numbers, () => ++this.#lastStateId);
  }

  get stores(): Pick<StoreStates, 'size' | 'kinds'> {
    return this.#stores;
  }

  async start(): Promise<WorldState> {
    const { actors, before, crashes, sendFaults } = this.#case;
    const scriptStates = actors.map(() => undefined);
    const starts = actors.map(() => 0);
    const store = this.#stores.start;
    let state: WorldState = {
      store,
      nowMs: startMs,
      scriptStates,
      starts,
      returned: [],
      crashes,
      sendFaults,
      messageLost: false,
    };
    for (const setup of before) state = await this.#runAlone(state, this.#statesOf(setup.script, 0), setup);
    return state;
  }

  /**
   * Returns the key of a world state. States that differ only in the order of interchangeable actors (which are
   * neighbours) have equal keys.
   */
  keyOf({
    store,
    nowMs,
    scriptStates,
    starts,
    returned,
    crashes,
    sendFaults,
    messageLost,
  }: WorldState): string {
    const actors = scriptStates.map((scriptState, i) => keyOfActor(scriptState, starts[i] ?? 0));
    for (let i = 1; i < actors.length; i++) {
      for (let j = i; j > 0 && this.#statesByActor[j] === this.#statesByActor[j - 1]; j--) {
        const [a, b] = [actors[j - 1] as number, actors[j] as number];
        if (a > b) [actors[j - 1], actors[j]] = [b, a];
      }
    }
    const budget = (crashes * 8 + sendFaults) * 2 + Number(messageLost);
    return `${store.id},${nowMs - startMs},${actors.join()},${budget}${returned.join()}`;
  }

  /** Returns every step that may happen next in a world state. */
  async steps(state: WorldState): Promise<WorldStep[]> {
    const steps: WorldStep[] = [];
    for (const actor of state.scriptStates.keys()) {
      if (this.#hasIdenticalActor(state, actor)) continue;
      let scriptState = this.#scriptState(state, actor);
      if (scriptState instanceof Promise) scriptState = await scriptState;
      for (let index = 0; index < (scriptState?.openCalls.length ?? 0); index++) {
        await this.#addSteps(state, actor, scriptState as ScriptState, index, steps);
      }
    }
    const later = nextMoment(state.store, state.nowMs, this.#slowMs);
    if (later !== undefined && later <= startMs + this.#case.horizonMs)
      steps.push({ description: `${later - state.nowMs} ms pass`, to: { ...state, nowMs: later } });
    return steps;
  }

  /** Runs each actor that may start, one after the other and to its end. Handlers take their first possible outcome. */
  async round(from: WorldState): Promise<WorldState> {
    let state = from;
    for (const actor of from.scriptStates.keys()) {
      for (
        let scriptState = await this.#scriptState(state, actor, true);
        scriptState !== undefined;
        scriptState = state.scriptStates[actor]
      ) {
        const steps: WorldStep[] = [];
        await this.#addSteps(state, actor, scriptState, 0, steps);
        state = steps[0]?.to ?? state;
      }
    }
    return state;
  }

  /** Returns the world state after one run of the reconciler. */
  reconciled(from: WorldState): Promise<WorldState> {
    return this.#runAlone(from, this.#reconciler);
  }

  async #runAlone(
    from: WorldState,
    states: ScriptStates,
    setup: Omit<SetupStep, 'script'> = {},
  ): Promise<WorldState> {
    const { sendOutcome: setupOutcome = 'sent', until } = setup;
    const happened = ({ tasks }: StoreState): boolean =>
      tasks.some(({ tip }) => tip.some(({ kind }) => kind === until));
    let { store } = from;
    let scriptState = await states.initial(from.nowMs);
    while (!scriptState.isOver && !happened(store)) {
      const call = scriptState.openCalls[0] as ScriptCall;
      if (call.port === 'choice')
        scriptState = await states.after(scriptState, 0, call.options[0], -1, from.nowMs);
      else {
        const sendOutcome = call.method === 'send' ? setupOutcome : 'sent';
        const step = this.#stores.step(
          store,
          scriptState.callNumbers[0] as number,
          call,
          from.nowMs,
          sendOutcome,
        );
        store = step.to;
        scriptState = await states.after(scriptState, 0, step.answer, step.answerNumber, from.nowMs);
      }
    }
    return this.#withReturned({ ...from, store }, scriptState.returned);
  }

  #withReturned(state: WorldState, returned: string | undefined): WorldState {
    if (returned === undefined || returned === '' || state.returned.includes(returned)) return state;
    return { ...state, returned: [...state.returned, returned].sort() };
  }

  /**
   * Returns whether an earlier, interchangeable actor is in the same state, so that this actor's steps lead to the same
   * world states.
   */
  #hasIdenticalActor({ scriptStates, starts }: WorldState, actor: number): boolean {
    for (
      let other = actor - 1;
      other >= 0 && this.#statesByActor[other] === this.#statesByActor[actor];
      other--
    ) {
      if (scriptStates[other] === scriptStates[actor] && starts[other] === starts[actor]) return true;
    }
    return false;
  }

  /**
   * Returns the state of an actor's script, or the script's initial state if the actor may start. Returns undefined if
   * the actor may not start.
   */
  #scriptState(
    { scriptStates, starts, returned, nowMs }: WorldState,
    actor: number,
    isFair = false,
  ): ScriptState | undefined | Promise<ScriptState> {
    if (scriptStates[actor] !== undefined) return scriptStates[actor];
    const {
      name,
      times = Number.POSITIVE_INFINITY,
      unlimitedWhenFair,
      after,
    } = this.#case.actors[actor] as Actor;
    if (after !== undefined && !returned.includes(after)) return undefined;
    const isExhausted = (starts[actor] ?? 0) >= times && !(isFair && unlimitedWhenFair);
    if (isExhausted || returned.includes(name)) return undefined;
    return (this.#statesByActor[actor] as ScriptStates).initial(nowMs);
  }

  async #addSteps(
    state: WorldState,
    actor: number,
    scriptState: ScriptState,
    index: number,
    steps: WorldStep[],
  ): Promise<void> {
    const call = scriptState.openCalls[index] as ScriptCall;
    const callNumber = scriptState.callNumbers[index] as number;
    const from = state.scriptStates[actor] === undefined ? this.#countStart(state, actor) : state;
    if (call.port === 'choice') {
      for (const [i, option] of call.options.entries()) {
        steps.push({
          description: this.#stepText(actor, option),
          to: await this.#after(from, actor, scriptState, index, option, -1 - i),
        });
      }
      return;
    }
    for (const sendOutcome of this.#sendOutcomes(state, call.method)) {
      const step = this.#stores.step(state.store, callNumber, call, state.nowMs, sendOutcome);
      if (call.method === 'append')
        checkAppend(state.store.tasks, call.args[0] as Change[], step.answer as WriteOutcome[], state.nowMs);
      const sendFaults = state.sendFaults - (sendOutcome === 'sent' ? 0 : 1);
      const effect = {
        ...from,
        store: step.to,
        sendFaults,
        messageLost: state.messageLost || sendOutcome === 'lost',
      };
      const description = this.#stepText(
        actor,
        `${call.port}.${call.method}${sendOutcome === 'sent' ? '' : `, ${sendOutcome}`}`,
      );
      const to = await this.#after(effect, actor, scriptState, index, step.answer, step.answerNumber);
      // An actor whose first call changed nothing counts as not started.
      const isIdle =
        to.scriptStates[actor] === state.scriptStates[actor] &&
        to.store === state.store &&
        to.returned === state.returned;
      steps.push({ description, to: isIdle ? state : to });
      if (state.crashes === 0) continue;
      const scriptStates = state.scriptStates.with(actor, undefined);
      steps.push({
        description: `${description}, then dies`,
        to: { ...effect, scriptStates, crashes: state.crashes - 1 },
      });
    }
  }

  #stepText(actor: number, description: string): string {
    return `${this.#case.actors[actor]?.name}: ${description}`;
  }

  #countStart(state: WorldState, actor: number): WorldState {
    const { times } = this.#case.actors[actor] as Actor;
    if (times === undefined || (state.starts[actor] ?? 0) >= times) return state;
    return { ...state, starts: state.starts.with(actor, (state.starts[actor] ?? 0) + 1) };
  }

  async #after(
    from: WorldState,
    actor: number,
    scriptState: ScriptState,
    index: number,
    answer: unknown,
    answerNumber: number,
  ): Promise<WorldState> {
    const next = (this.#statesByActor[actor] as ScriptStates).after(
      scriptState,
      index,
      answer,
      answerNumber,
      from.nowMs,
    );
    const to = next instanceof Promise ? await next : next;
    const scriptStates = from.scriptStates.with(actor, to.isOver ? undefined : to);
    return this.#withReturned({ ...from, scriptStates }, to.returned);
  }

  #sendOutcomes({ sendFaults }: WorldState, method: string): readonly SendOutcome[] {
    return method === 'send' && sendFaults > 0 ? ['sent', ...this.#case.faultOutcomes] : ['sent'];
  }
}
