/**
 * `npm run crashpoints`: every request that a scenario makes of DynamoDB and SQS is a point. There the request is lost
 * on its way, or done and its answer lost, or the process is killed (SIGKILL) before it or after it; then a fresh
 * process sweeps, works and looks as the reconciler, and nothing may be lost, doubled, out of its lane's order or
 * stuck. Time is not waited for: the wall clock of every process and of SQS is moved on together. A second pass kills
 * at each request while indexes lag, reads are stale and calls are slow.
 * `--only TEXT`: the scenarios whose name has it; `--at N`: so many points at once (2); `--seed N` (1); `--limit-s N`:
 * seconds (900), after which no further point is begun.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import type { DynamoFaults } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { Booth } from './booth.ts';
import { type Fate, fates, isDeadly, type Point } from './point.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { reasons, sum, type Tally } from './tally.ts';

const options = programOptions('crashpoints', { only: '', at: 2, seed: 1, limitS: 900 });
const beganMs = performance.now();
const seconds = (): number => Math.round((performance.now() - beganMs) / 1_000);

interface Pass {
  readonly name: string;
  readonly faults: DynamoFaults;
  readonly fates: readonly Fate[];
}

const passes: readonly Pass[] = [
  { name: 'plainly', faults: {}, fates },
  {
    name: 'behind lagging indexes and stale reads',
    faults: {
      indexLag: { upToMs: 100 },
      staleReads: { share: 1, upToMs: 100 },
      latency: { fixedMs: 0, jitterMs: 4 },
    },
    fates: fates.filter(isDeadly),
  },
];

/** Takes one after the other from the list, as many at once as there are booths. How many time was over for. */
async function share<T>(
  booths: readonly Booth[],
  all: readonly T[],
  work: (booth: Booth, one: T) => Promise<void>,
): Promise<number> {
  const left = [...all];
  const late = (): boolean => performance.now() - beganMs > options.limitS * 1_000;
  await Promise.all(
    booths.map(async (booth) => {
      while (left.length > 0 && !late()) await work(booth, left.shift() as T);
    }),
  );
  return left.length;
}

async function pointsOf(
  booths: readonly Booth[],
  chosen: readonly Scenario[],
  pass: Pass,
): Promise<{ points: Point[]; unrecorded: number }> {
  const points: Point[] = [];
  const unrecorded = await share(booths, chosen, async (booth, scenario) => {
    points.push(...(await booth.record(scenario, pass.fates)));
  });
  points.sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
  return { points, unrecorded };
}

/** A line a point; whether it was recovered. */
async function tried(booth: Booth, point: Point): Promise<boolean> {
  const { scenario, service, n, fate } = point;
  const { hit, problems, rounds } = await booth.run(point);
  const recovered = problems.length === 0;
  const how = recovered ? `recovered in ${rounds} rounds` : `NOT RECOVERED: ${problems.join('; ')}`;
  console.log(`${`${scenario.name}, ${service} ${n} ${hit}, ${fate}`.padEnd(74)} ${how}`);
  return recovered;
}

async function run(pass: Pass): Promise<Tally> {
  const numbers = Array.from({ length: Math.max(1, options.at) }, (_, i) => i);
  const booths = await Promise.all(numbers.map((i) => Booth.open(options.seed + i, pass.faults)));
  const chosen = scenarios.filter(({ name }) => name.includes(options.only));
  const { points, unrecorded } = await pointsOf(booths, chosen, pass);
  const requests = points.length / pass.fates.length;
  console.log(
    `${pass.name}: ${chosen.length - unrecorded} scenarios, ${requests} requests, ${points.length} points`,
  );
  let recovered = 0;
  const untried = await share(booths, points, async (booth, point) => {
    if (await tried(booth, point)) recovered++;
  });
  for (const booth of booths) await booth.close();
  const left = untried > 0 ? `, ${untried} not tried` : '';
  console.log(`${pass.name}: ${recovered} of ${points.length} recovered${left}, after ${seconds()} s`);
  return { points: points.length, recovered, untried, unrecorded };
}

let tally: Tally = { points: 0, recovered: 0, untried: 0, unrecorded: 0 };
for (const pass of passes) tally = sum(tally, await run(pass));
const wrong = reasons(tally, options);
for (const reason of wrong) console.log(`crashpoints: ${reason}`);
console.log(`crashpoints: points=${tally.points} recovered=${tally.recovered}`);
process.exit(wrong.length === 0 ? 0 : 1);
