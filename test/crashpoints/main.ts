/**
 * `npm run crashpoints`: every request that a scenario makes of DynamoDB and SQS is a point. There the request is lost
 * on its way, or done and its answer lost, or the process is killed (SIGKILL) before it or after it; then a fresh
 * process sweeps, works and looks as the reconciler, and nothing may be lost, doubled, out of its lane's order or
 * stuck. Time is not waited for: the wall clock of every process and of SQS is moved on together.
 * `--only TEXT` plays the scenarios whose name has it; `--faults` has indexes lag and reads be stale as well.
 */
import { parseArgs } from 'node:util';
import type { DynamoFaults } from '../stand-ins/proxy/dynamo-proxy.ts';
import { Child } from './child.ts';
import { fates, isDeadly, type Point, playTo, record, recoverBy, services } from './point.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { type Site, startSite } from './site.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    faults: { type: 'boolean', default: false },
    at: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
  },
});
const limitMs = 8 * 60_000 - 15_000;
const leastPoints = 40;
/** Of a point that does not come: a read that may be stale is sometimes followed by another, and sometimes not. */
const tries = 8;
const chosen = scenarios.filter(({ name }) => name.includes(options.only));
const seed = Number(options.seed);
const lagging: DynamoFaults = {
  indexLag: { upToMs: 100 },
  staleReads: { share: 1, upToMs: 100 },
  latency: { fixedMs: 0, jitterMs: 4 },
};

/**
 * A site, a process that plays on it, and one that recovers what the other left. Where the player was killed, the one
 * that recovered plays next and another is started to recover: it never has a part in what it recovers.
 */
class Booth {
  readonly site: Site;
  #player = new Child();
  #recoverer = new Child();

  private constructor(site: Site) {
    this.site = site;
  }

  static async open(n: number): Promise<Booth> {
    return new Booth(await startSite(seed + n, options.faults ? lagging : {}));
  }

  async record(scenario: Scenario): Promise<Point[]> {
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

const beganMs = performance.now();
const booths = await Promise.all(Array.from({ length: Number(options.at) }, (_, i) => Booth.open(i)));

/** Takes one after the other from the list, as many at once as there are booths. */
async function share<T>(list: T[], work: (booth: Booth, one: T) => Promise<void>): Promise<void> {
  const late = (): boolean => performance.now() - beganMs > limitMs;
  await Promise.all(
    booths.map(async (booth) => {
      for (let one = list.shift(); one !== undefined && !late(); one = list.shift()) await work(booth, one);
    }),
  );
}

const points: Point[] = [];
await share([...chosen], async (booth, scenario) => void points.push(...(await booth.record(scenario))));
points.sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
console.log(`${chosen.length} scenarios, ${points.length / fates.length} requests, ${points.length} points`);
let recovered = 0;
await share([...points], async (booth, point) => {
  const { scenario, service, n, fate } = point;
  const { hit, problems, rounds } = await booth.run(point);
  if (problems.length === 0) recovered++;
  const name = `${scenario.name}, ${service} ${n} ${hit}, ${fate}`;
  const how =
    problems.length === 0 ? `recovered in ${rounds} rounds` : `NOT RECOVERED: ${problems.join('; ')}`;
  console.log(`${name.padEnd(74)} ${how}`);
});
for (const booth of booths) await booth.close();
console.log(`${Math.round((performance.now() - beganMs) / 1_000)} s`);
console.log(`crashpoints: points=${points.length} recovered=${recovered}`);
const all = recovered === points.length && (options.only !== '' || points.length >= leastPoints);
process.exit(all ? 0 : 1);
