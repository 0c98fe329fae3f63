import type { DynamoFaults } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { Child } from './child.ts';
import { type Site, startSite } from './crash-stand-ins.ts';
import { type Fate, isDeadly, type Point, playTo, record, recoverBy, services } from './point.ts';
import type { Scenario } from './scenarios.ts';

/** Of a point that does not come: a read that may be stale is sometimes followed by another, and sometimes not. */
const tries = 8;

/**
 * A site, a process that plays on it, and one that recovers what the other left. Where the player was killed, the one
 * that recovered plays next and another is started to recover: it never has a part in what it recovers.
 */
export class Booth {
  readonly site: Site;
  #player = new Child();
  #recoverer = new Child();

  private constructor(site: Site) {
    this.site = site;
  }

  static async open(seed: number, faults: DynamoFaults): Promise<Booth> {
    return new Booth(await startSite(seed, faults));
  }

  /** Plays it whole once: each of its requests is a point for each of these fates. */
  async record(scenario: Scenario, fates: readonly Fate[]): Promise<Point[]> {
    const place = await this.site.place();
    const recorded = await record(this.site, this.#player, scenario, place);
    const { problems } = await recoverBy(this.site, this.#recoverer, scenario, place, recorded.promised);
    if (problems.length > 0) throw new Error(`${scenario.name} is wrong by itself: ${problems.join('; ')}`);
    return services.flatMap((service) =>
      recorded[service].flatMap((_, i) => fates.map((fate) => ({ scenario, service, n: i + 1, fate }))),
    );
  }

  /** What is wrong; empty: recovered. */
  async run(point: Point): Promise<{ hit: string; problems: readonly string[]; rounds: number }> {
    const { site } = this;
    let place = await site.place();
    let played = await playTo(site, this.#player, point, place);
    for (let i = 1; i < tries && played.hit === undefined && !this.#player.dead; i++) {
      place = await site.place();
      played = await playTo(site, this.#player, point, place);
    }
    const { hit, promised, error } = played;
    if (hit === undefined) return { hit: '?', problems: [`the point never came: ${error ?? ''}`], rounds: 0 };
    const survived = !this.#player.dead;
    if (survived === isDeadly(point.fate)) return { hit, problems: ['the wrong process died'], rounds: 0 };
    const { problems, rounds } = await recoverBy(site, this.#recoverer, point.scenario, place, promised);
    if (!survived) {
      this.#player = this.#recoverer;
      this.#recoverer = new Child();
    }
    // Who lived must have been able to go on by himself.
    const failed = error === undefined ? [] : [`the play failed: ${error}`];
    return { hit, problems: [...failed, ...problems], rounds };
  }

  async close(): Promise<void> {
    await Promise.all([this.#player.kill(), this.#recoverer.kill()]);
    await this.site.stop();
  }
}
