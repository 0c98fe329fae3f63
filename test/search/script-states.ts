import { startMs } from './manual-clock.ts';
import { type Script, type ScriptCall, ScriptRun } from './script-run.ts';
import type { ValueNumbers } from './value-numbers.ts';

/** The answer to one open call of a script, and the time at which the script was given the answer. */
interface AnswerRecord {
  readonly index: number;
  readonly answer: unknown;
  readonly nowMs: number;
}

/** The state of a script. It is determined by the answers that the script was given and their times. */
export interface ScriptState {
  readonly id: number;
  readonly openCalls: readonly ScriptCall[];
  /** The number of each call in `openCalls`. Equal calls have equal numbers. */
  readonly callNumbers: readonly number[];
  /** The text that the script returned, or undefined while it runs. Calls that the script started may still be open. */
  readonly returned: string | undefined;
  /** True once the script has returned and no call is open. */
  readonly isOver: boolean;
  readonly answers: readonly AnswerRecord[];
  readonly next: Map<number, ScriptState>;
}

/** The maximum number of calls that one script has open at once. */
const maxOpenCalls = 16;

function nextKey(index: number, answerNumber: number, nowMs: number | undefined): number {
  return (answerNumber * maxOpenCalls + index) * 2 ** 31 + (nowMs === undefined ? 0 : nowMs - startMs + 1);
}

/** All states of one script that the search has reached. Real code computes each state only once. */
export class ScriptStates {
  readonly #script: Script;
  readonly #skewMs: number;
  readonly #numbers: ValueNumbers;
  readonly #nextId: () => number;
  readonly #initialStates = new Map<number, ScriptState>();
  readonly #live = new Map<ScriptState, ScriptRun>();

  constructor(script: Script, skewMs: number, numbers: ValueNumbers, nextId: () => number) {
    this.#script = script;
    this.#skewMs = skewMs;
    this.#numbers = numbers;
    this.#nextId = nextId;
  }

  initial(nowMs: number): ScriptState | Promise<ScriptState> {
    return this.#initialStates.get(nowMs) ?? this.#start(nowMs);
  }

  after(
    state: ScriptState,
    index: number,
    answer: unknown,
    answerNumber: number,
    nowMs: number,
  ): ScriptState | Promise<ScriptState> {
    const { next } = state;
    const known =
      next.get(nextKey(index, answerNumber, undefined)) ?? next.get(nextKey(index, answerNumber, nowMs));
    return known ?? this.#advance(state, { index, answer, nowMs }, answerNumber);
  }

  async #start(nowMs: number): Promise<ScriptState> {
    const run = await ScriptRun.begin(this.#script, nowMs + this.#skewMs);
    const state = this.#stateOf(run, [{ index: 0, answer: undefined, nowMs }]);
    this.#initialStates.set(nowMs, state);
    return state;
  }

  async #advance(state: ScriptState, record: AnswerRecord, answerNumber: number): Promise<ScriptState> {
    const { index, answer, nowMs } = record;
    const run = this.#live.get(state) ?? (await this.#replay(state.answers));
    this.#live.delete(state);
    await run.answer(index, answer, nowMs + this.#skewMs);
    const next = this.#stateOf(run, [...state.answers, record]);
    // A script that did not read its clock behaves the same at any time.
    state.next.set(nextKey(index, answerNumber, run.clock.wasRead ? nowMs : undefined), next);
    return next;
  }

  async #replay([first, ...rest]: readonly AnswerRecord[]): Promise<ScriptRun> {
    const run = await ScriptRun.begin(this.#script, (first?.nowMs ?? 0) + this.#skewMs);
    for (const { index, answer, nowMs } of rest) await run.answer(index, answer, nowMs + this.#skewMs);
    return run;
  }

  #stateOf(run: ScriptRun, answers: readonly AnswerRecord[]): ScriptState {
    const { openCalls, returned } = run;
    if (openCalls.length > maxOpenCalls) throw new RangeError(`${openCalls.length} calls at once`);
    const isOver = returned !== undefined && openCalls.length === 0;
    const callNumbers = openCalls.map((one) => this.#numbers.numberOf(one));
    const state: ScriptState = {
      id: this.#nextId(),
      openCalls,
      callNumbers,
      returned,
      isOver,
      answers,
      next: new Map(),
    };
    if (!isOver) this.#live.set(state, run);
    return state;
  }
}
