import type { Change, Outcome } from '../../src/ports/task-store.ts';
import type { Actor, Case, Deed } from './case.ts';
import type { Fate } from './machine.ts';
import { Names } from './names.ts';
import type { Asked, Script } from './performance.ts';
import { Play, type Scene } from './plays.ts';
import { judge } from './rules.ts';
import { reconciler } from './scripts.ts';
import { startMs } from './still-clock.ts';
import { nextMoment, type StoreState, StoreStates } from './store-state.ts';

export interface Place {
  readonly store: StoreState;
  readonly nowMs: number;
  /** Where each actor stands; undefined: it has not begun, or has ended. */
  readonly scenes: readonly (Scene | undefined)[];
  readonly begun: readonly number[];
  /** What was said, e.g. the keys of acknowledged submissions. */
  readonly said: readonly string[];
  readonly crashes: number;
  readonly misrings: number;
  /** A bell may be gone for good. */
  readonly messageLost: boolean;
}

export interface Move {
  readonly what: string;
  readonly to: Place;
}

function keyOfActor(scene: Scene | undefined, begun: number): number {
  return (scene?.id ?? 0) * 8 + begun;
}

/** A case with everything that was found out about it so far. */
export class World {
  readonly #names = new Names();
  readonly #stores = new StoreStates(this.#names);
  readonly #case: Case;
  readonly #plays: readonly Play[];
  readonly #reconciler: Play;
  readonly #slowMs: number;
  #scenes = 0;

  constructor(given: Case) {
    this.#case = given;
    const plays = new Map<string, Play>();
    const scripts = [...new Set(given.actors.map((actor) => actor.script))];
    // Whoever follows the same script by the same clock is interchangeable, and so are their scenes.
    this.#plays = given.actors.map(({ script, slowMs = 0 }) => {
      const name = `${scripts.indexOf(script)} ${slowMs}`;
      const play = plays.get(name) ?? this.#playOf(script, slowMs);
      plays.set(name, play);
      return play;
    });
    this.#reconciler = this.#playOf(reconciler, 0);
    this.#slowMs = Math.max(0, ...given.actors.map(({ slowMs = 0 }) => slowMs));
  }

  #playOf(script: Script, slowMs: number): Play {
    return new Play(script, -slowMs, this.#names, () => ++this.#scenes);
  }

  get stores(): Pick<StoreStates, 'size' | 'kinds'> {
    return this.#stores;
  }

  async start(): Promise<Place> {
    const { actors, before, crashes, misrings } = this.#case;
    const scenes = actors.map(() => undefined);
    const begun = actors.map(() => 0);
    const store = this.#stores.start;
    let place: Place = {
      store,
      nowMs: startMs,
      scenes,
      begun,
      said: [],
      crashes,
      misrings,
      messageLost: false,
    };
    for (const deed of before) place = await this.#undisturbed(place, this.#playOf(deed.script, 0), deed);
    return place;
  }

  /** Tells places apart; actors that are interchangeable (they stand side by side) are not told apart. */
  keyOf({ store, nowMs, scenes, begun, said, crashes, misrings, messageLost }: Place): string {
    const actors = scenes.map((scene, i) => keyOfActor(scene, begun[i] ?? 0));
    for (let i = 1; i < actors.length; i++) {
      for (let j = i; j > 0 && this.#plays[j] === this.#plays[j - 1]; j--) {
        const [a, b] = [actors[j - 1] as number, actors[j] as number];
        if (a > b) [actors[j - 1], actors[j]] = [b, a];
      }
    }
    const luck = (crashes * 8 + misrings) * 2 + Number(messageLost);
    return `${store.id},${nowMs - startMs},${actors.join()},${luck}${said.join()}`;
  }

  /** Everything that may happen next. */
  async moves(place: Place): Promise<Move[]> {
    const moves: Move[] = [];
    for (const actor of place.scenes.keys()) {
      if (this.#isTwin(place, actor)) continue;
      let scene = this.#scene(place, actor);
      if (scene instanceof Promise) scene = await scene;
      for (let index = 0; index < (scene?.asked.length ?? 0); index++) {
        await this.#deeds(place, actor, scene as Scene, index, moves);
      }
    }
    const later = nextMoment(place.store, place.nowMs, this.#slowMs);
    if (later !== undefined && later <= startMs + this.#case.horizonMs)
      moves.push({ what: `${later - place.nowMs} ms pass`, to: { ...place, nowMs: later } });
    return moves;
  }

  /** Everybody who may begin does so, one after the other and each to its end; handlers do the first thing they may. */
  async round(from: Place): Promise<Place> {
    let place = from;
    for (const actor of from.scenes.keys()) {
      for (
        let scene = await this.#scene(place, actor, true);
        scene !== undefined;
        scene = place.scenes[actor]
      ) {
        const moves: Move[] = [];
        await this.#deeds(place, actor, scene, 0, moves);
        place = moves[0]?.to ?? place;
      }
    }
    return place;
  }

  /** The same after a look of the reconciler. */
  reconciled(from: Place): Promise<Place> {
    return this.#undisturbed(from, this.#reconciler);
  }

  async #undisturbed(from: Place, play: Play, deed: Omit<Deed, 'script'> = {}): Promise<Place> {
    const { sends = 'sent', until } = deed;
    const happened = ({ tasks }: StoreState): boolean =>
      tasks.some(({ tip }) => tip.some(({ kind }) => kind === until));
    let { store } = from;
    let scene = await play.opening(from.nowMs);
    while (!scene.isOver && !happened(store)) {
      const asked = scene.asked[0] as Asked;
      if (asked.port === 'choice') scene = await play.after(scene, 0, asked.options[0], -1, from.nowMs);
      else {
        const fate = asked.method === 'send' ? sends : 'sent';
        const step = this.#stores.step(store, scene.names[0] as number, asked, from.nowMs, fate);
        store = step.to;
        scene = await play.after(scene, 0, step.answer, step.name, from.nowMs);
      }
    }
    return this.#receiveMessage({ ...from, store }, scene.said);
  }

  #receiveMessage(place: Place, said: string | undefined): Place {
    if (said === undefined || said === '' || place.said.includes(said)) return place;
    return { ...place, said: [...place.said, said].sort() };
  }

  /** Another one stands exactly where this one does. */
  #isTwin({ scenes, begun }: Place, actor: number): boolean {
    for (let one = actor - 1; one >= 0 && this.#plays[one] === this.#plays[actor]; one--) {
      if (scenes[one] === scenes[actor] && begun[one] === begun[actor]) return true;
    }
    return false;
  }

  /** Where an actor stands, or begins. */
  #scene(
    { scenes, begun, said, nowMs }: Place,
    actor: number,
    isFair = false,
  ): Scene | undefined | Promise<Scene> {
    if (scenes[actor] !== undefined) return scenes[actor];
    const { name, times = Number.POSITIVE_INFINITY, tireless, after } = this.#case.actors[actor] as Actor;
    if (after !== undefined && !said.includes(after)) return undefined;
    const isTired = (begun[actor] ?? 0) >= times && !(isFair && tireless);
    if (isTired || said.includes(name)) return undefined;
    return (this.#plays[actor] as Play).opening(nowMs);
  }

  async #deeds(place: Place, actor: number, scene: Scene, index: number, moves: Move[]): Promise<void> {
    const asked = scene.asked[index] as Asked;
    const name = scene.names[index] as number;
    const from = place.scenes[actor] === undefined ? this.#beginning(place, actor) : place;
    if (asked.port === 'choice') {
      for (const [i, option] of asked.options.entries()) {
        moves.push({
          what: this.#told(actor, option),
          to: await this.#after(from, actor, scene, index, option, -1 - i),
        });
      }
      return;
    }
    for (const fate of this.#fates(place, asked.method)) {
      const step = this.#stores.step(place.store, name, asked, place.nowMs, fate);
      if (asked.method === 'append')
        judge(place.store.tasks, asked.args[0] as Change[], step.answer as Outcome[], place.nowMs);
      const misrings = place.misrings - (fate === 'sent' ? 0 : 1);
      const effect = { ...from, store: step.to, misrings, messageLost: place.messageLost || fate === 'lost' };
      const what = this.#told(actor, `${asked.port}.${asked.method}${fate === 'sent' ? '' : `, ${fate}`}`);
      const to = await this.#after(effect, actor, scene, index, step.answer, step.name);
      // Who found nothing to do at its first look has not begun.
      const isIdle =
        to.scenes[actor] === place.scenes[actor] && to.store === place.store && to.said === place.said;
      moves.push({ what, to: isIdle ? place : to });
      if (place.crashes === 0) continue;
      const scenes = place.scenes.with(actor, undefined);
      moves.push({ what: `${what}, then dies`, to: { ...effect, scenes, crashes: place.crashes - 1 } });
    }
  }

  #told(actor: number, what: string): string {
    return `${this.#case.actors[actor]?.name}: ${what}`;
  }

  #beginning(place: Place, actor: number): Place {
    const { times } = this.#case.actors[actor] as Actor;
    if (times === undefined || (place.begun[actor] ?? 0) >= times) return place;
    return { ...place, begun: place.begun.with(actor, (place.begun[actor] ?? 0) + 1) };
  }

  async #after(
    from: Place,
    actor: number,
    scene: Scene,
    index: number,
    answer: unknown,
    name: number,
  ): Promise<Place> {
    const next = (this.#plays[actor] as Play).after(scene, index, answer, name, from.nowMs);
    const to = next instanceof Promise ? await next : next;
    const scenes = from.scenes.with(actor, to.isOver ? undefined : to);
    return this.#receiveMessage({ ...from, scenes }, to.said);
  }

  #fates({ misrings }: Place, method: string): readonly Fate[] {
    return method === 'send' && misrings > 0 ? ['sent', ...this.#case.fates] : ['sent'];
  }
}
