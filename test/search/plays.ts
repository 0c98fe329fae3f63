import type { Names } from './names.ts';
import { type Asked, Performance, type Script } from './performance.ts';
import { startMs } from './still-clock.ts';

interface Answered {
  readonly index: number;
  readonly answer: unknown;
  readonly nowMs: number;
}

/** Where a script stands: all that it may do next follows from the answers that it was given, and from when. */
export interface Scene {
  readonly id: number;
  readonly asked: readonly Asked[];
  /** Of `asked`. */
  readonly names: readonly number[];
  /** What it said at its end; work that it began may go on. */
  readonly said: string | undefined;
  readonly isOver: boolean;
  readonly story: readonly Answered[];
  readonly next: Map<number, Scene>;
}

/** More calls than one script ever makes at once. */
const mostAtOnce = 16;

function atOf(index: number, name: number, nowMs: number | undefined): number {
  return (name * mostAtOnce + index) * 2 ** 31 + (nowMs === undefined ? 0 : nowMs - startMs + 1);
}

/** Every scene of one script that was ever reached; each is played once. */
export class Play {
  readonly #script: Script;
  readonly #skewMs: number;
  readonly #names: Names;
  readonly #ids: () => number;
  readonly #openings = new Map<number, Scene>();
  readonly #live = new Map<Scene, Performance>();

  constructor(script: Script, skewMs: number, names: Names, ids: () => number) {
    this.#script = script;
    this.#skewMs = skewMs;
    this.#names = names;
    this.#ids = ids;
  }

  opening(nowMs: number): Scene | Promise<Scene> {
    return this.#openings.get(nowMs) ?? this.#open(nowMs);
  }

  after(scene: Scene, index: number, answer: unknown, name: number, nowMs: number): Scene | Promise<Scene> {
    const { next } = scene;
    const known = next.get(atOf(index, name, undefined)) ?? next.get(atOf(index, name, nowMs));
    return known ?? this.#goOn(scene, { index, answer, nowMs }, name);
  }

  async #open(nowMs: number): Promise<Scene> {
    const performance = await Performance.begin(this.#script, nowMs + this.#skewMs);
    const scene = this.#scene(performance, [{ index: 0, answer: undefined, nowMs }]);
    this.#openings.set(nowMs, scene);
    return scene;
  }

  async #goOn(scene: Scene, answered: Answered, name: number): Promise<Scene> {
    const { index, answer, nowMs } = answered;
    const performance = this.#live.get(scene) ?? (await this.#replayed(scene.story));
    this.#live.delete(scene);
    await performance.answer(index, answer, nowMs + this.#skewMs);
    const next = this.#scene(performance, [...scene.story, answered]);
    // Whoever did not look at the clock does the same at any time.
    scene.next.set(atOf(index, name, performance.clock.asked ? nowMs : undefined), next);
    return next;
  }

  async #replayed([opening, ...rest]: readonly Answered[]): Promise<Performance> {
    const performance = await Performance.begin(this.#script, (opening?.nowMs ?? 0) + this.#skewMs);
    for (const { index, answer, nowMs } of rest)
      await performance.answer(index, answer, nowMs + this.#skewMs);
    return performance;
  }

  #scene(performance: Performance, story: readonly Answered[]): Scene {
    const { asked, said } = performance;
    if (asked.length > mostAtOnce) throw new RangeError(`${asked.length} calls at once`);
    const isOver = said !== undefined && asked.length === 0;
    const names = asked.map((one) => this.#names.of(one));
    const scene: Scene = { id: this.#ids(), asked, names, said, isOver, story, next: new Map() };
    if (!isOver) this.#live.set(scene, performance);
    return scene;
  }
}
