/**
 * `npm run crashpoints`: every request of a scenario to DynamoDB and SQS is a crash point. At each point, in turn, the
 * request is lost, its answer is lost, or the process is killed (SIGKILL) before or after the request. Then another
 * process sweeps, works and reconciles, and no task may be lost, doubled, stuck or out of its lane's order. The run
 * does not wait for time to pass: the wall clocks of all processes and of SQS are moved forward together. A second pass
 * kills the process at each request while indexes lag, reads are stale, queries show transactions in part and calls are
 * slow. `--only TEXT` takes only the
 * scenarios whose name has this text. `--at N` is the number of crash points that run at once (2). `--seed N` is 1 by
 * default. After `--limit-s N` seconds (900) no further crash point is begun.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import type { DynamoFaults } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { isKill, type Point, type PointFault, pointFaults } from './point.ts';
import { PointRunner } from './point-runner.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { reasons, sum, type Tally } from './tally.ts';

const options = programOptions('crashpoints', { only: '', at: 2, seed: 1, limitS: 900 });
const beganMs = performance.now();
const seconds = (): number => Math.round((performance.now() - beganMs) / 1_000);

interface Pass {
  readonly name: string;
  readonly faults: DynamoFaults;
  readonly pointFaults: readonly PointFault[];
}

const passes: readonly Pass[] = [
  { name: 'plainly', faults: {}, pointFaults },
  {
    name: 'behind lagging indexes, stale reads and torn transactions',
    faults: {
      indexLag: { upToMs: 100 },
      staleReads: { share: 1, upToMs: 100 },
      tear: { share: 0.5, upToMs: 1_000 },
      latency: { fixedMs: 0, jitterMs: 4 },
    },
    pointFaults: pointFaults.filter(isKill),
  },
];

/**
 * Does the work for each item of a list, one at a time in each runner. Returns the number of items for which no time
 * was left.
 */
async function shareOut<T>(
  runners: readonly PointRunner[],
  all: readonly T[],
  work: (runner: PointRunner, one: T) => Promise<void>,
): Promise<number> {
  const left = [...all];
  const isOver = (): boolean => performance.now() - beganMs > options.limitS * 1_000;
  await Promise.all(
    runners.map(async (runner) => {
      while (left.length > 0 && !isOver()) await work(runner, left.shift() as T);
    }),
  );
  return left.length;
}

async function pointsOf(
  runners: readonly PointRunner[],
  chosen: readonly Scenario[],
  pass: Pass,
): Promise<{ points: Point[]; unrecorded: number }> {
  const points: Point[] = [];
  const unrecorded = await shareOut(runners, chosen, async (runner, scenario) => {
    points.push(...(await runner.record(scenario, pass.pointFaults)));
  });
  points.sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
  return { points, unrecorded };
}

/** Runs one crash point and prints a line about it. Returns true if all of its tasks were recovered. */
async function tryPoint(runner: PointRunner, point: Point): Promise<boolean> {
  const { scenario, service, n, fault } = point;
  const { hit, problems, rounds } = await runner.run(point);
  const recovered = problems.length === 0;
  const how = recovered ? `recovered in ${rounds} rounds` : `NOT RECOVERED: ${problems.join('; ')}`;
  console.log(`${`${scenario.name}, ${service} ${n} ${hit}, ${fault}`.padEnd(74)} ${how}`);
  return recovered;
}

async function run(pass: Pass): Promise<Tally> {
  const numbers = Array.from({ length: Math.max(1, options.at) }, (_, i) => i);
  const runners = await Promise.all(numbers.map((i) => PointRunner.open(options.seed + i, pass.faults)));
  const chosen = scenarios.filter(({ name }) => name.includes(options.only));
  const { points, unrecorded } = await pointsOf(runners, chosen, pass);
  const requests = points.length / pass.pointFaults.length;
  console.log(
    `${pass.name}: ${chosen.length - unrecorded} scenarios, ${requests} requests, ${points.length} points`,
  );
  let recovered = 0;
  const untried = await shareOut(runners, points, async (runner, point) => {
    if (await tryPoint(runner, point)) recovered++;
  });
  for (const runner of runners) await runner.close();
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
