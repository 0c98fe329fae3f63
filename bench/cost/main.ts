/**
 * `npm run bench:cost` measures what the service consumes on DynamoDB and SQS, at list prices. The answers of
 * the local DynamoDB stand-in contain the consumed capacity by AWS's rules, except for writes whose condition
 * failed: such writes are charged as AWS charges them, by the size of the existing item, twice in a
 * transaction. `--json` prints one object, and `--record` writes it to `measured.json`, from which `npm run capacity` computes.
 */
import { writeFileSync } from 'node:fs';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { designs, unitsOf } from './designs.ts';
import { explainCosts } from './explain.ts';
import { idleHour } from './idle.ts';
import { delayed, happyLife, heartbeat, type Life, minuteOfWork, ordered, retried } from './lives.ts';
import { demo, demoTasks, oneKb, type PayloadOf, small } from './payloads.ts';
import { plus, prices, usd } from './prices.ts';
import { duplicate, readCosts, resultWait } from './reads.ts';
import { CostReport } from './report.ts';
import { type StorageCost, storageCost } from './storage.ts';

const options = programOptions('bench:cost', { json: false, record: false });
const report = new CostReport(options.json);
const many = 1_000;
const some = 100;
const few = 50;
const million = 1_000_000;

const whole = ({ life, reconcilePasses }: Life) => plus(life, reconcilePasses);

async function happy(name: string, payload: PayloadOf, count: number): Promise<Life> {
  const life = await happyLife(payload, count, 'full');
  report.million(`submit→done, ${name}`, whole(life));
  return life;
}

async function storage(name: string, payload: PayloadOf): Promise<StorageCost> {
  const cost = await storageCost(payload, some);
  const { bytesPerTask, days, usdPerTask } = cost;
  report.print(
    `${name}: ${Math.round(bytesPerTask)} bytes a task for ${days} days, $${(usdPerTask * million).toFixed(2)} per million`,
  );
  return cost;
}

report.print(
  `$${prices.writeUnit * million} per million write units, $${prices.readUnit * million} read units, $${prices.sqsRequest * million} SQS FIFO requests`,
);
report.printHeader('per million; submit→done with list, history and the reconciler');
const smallLife = await happy('200 B', small, many);
const life = await happy('1 KB random', oneKb, many);
await happy(`the demo's webhooks, 10 KB of JSON`, demo, demoTasks);
report.million('  of which for reconcile passes (1 KB)', life.reconcilePasses);
report.million('submit→done, 1 KB, batches of one', whole(await happyLife(oneKb, few, 'single')));
report.million('submit→done, 1 KB, a minute of work: five heartbeats', await minuteOfWork(some));
report.million('submit→done, 1 KB, one retry', await retried(some));
report.million('submit→done, 1 KB, delayed', await delayed(some));
report.million('submit→done, 1 KB, ordered, full batches', await ordered(20, 10, 'full'));
report.million('submit→done, 1 KB, ordered, batches of one', await ordered(10, 5, 'single'));
report.million('submit→done, 1 KB, a caller waits a second for the result', await resultWait(some));
report.printHeader('per million, by itself');
report.million('duplicate of a task that has ended', await duplicate(some, 'done'));
report.million('duplicate of a task that is not claimed yet', await duplicate(some, 'waiting'));
report.million('heartbeat', await heartbeat(some));
const readCost = await readCosts(some);
report.million('task read by its id', readCost.get);
report.million('task with its whole history', readCost.history);
report.million('task listed by time, in pages of 100', readCost.list);
report.million('task listed by its state, in pages of 100', readCost.listSucceeded);
const explainCost = await explainCosts(some);
report.million('explanation of a task that has ended', explainCost.ended);
report.million('explanation of a task that has been ready for a minute', explainCost.waiting);
report.million('explanation of a task in a lane, behind another one', explainCost.inLane);
report.million('list of trouble, for each ended task examined', explainCost.troubleEnded);
report.million('list of trouble, for each unfinished task', explainCost.troubleWaiting);
report.printHeader('an idle hour: an API node, a worker process');
report.hour('1 queue', await idleHour(1));
report.hour('100 queues', await idleHour(100));
report.print('\nstorage until a task expires, default lifetime and retention');
const sizes = [
  { name: '200 B', of: await storage('200 B', small) },
  { name: '1 KB random', of: await storage('1 KB random', oneKb) },
];
await storage(`the demo's webhooks`, demo);
for (const { name, of } of sizes) {
  report.printHeader(`designs considered, ${name}: COMPUTED, not run; no reconciling`);
  for (const design of designs(of)) report.million(design.name, unitsOf(design));
}

const dollars = (of: Life): number => Number((usd(whole(of)) * million).toFixed(4));
const { writes, reads, sqsCalls } = whole(life);
const json = {
  usdPerMillionTasks: dollars(life),
  usdPerMillionTasksSmall: dollars(smallLife),
  writeUnitsPerTask: writes,
  readUnitsPerTask: Number(reads.toFixed(4)),
  sqsCallsPerTask: Number(sqsCalls.toFixed(4)),
};
const targets = { usdPerMillionTasks: 3.5, usdPerMillionTasksSmall: 2.8 };
const isWithinTargets =
  json.usdPerMillionTasks <= targets.usdPerMillionTasks &&
  json.usdPerMillionTasksSmall <= targets.usdPerMillionTasksSmall;
const storageOf = (bytes: number, { bytesPerTask, submissionBytes, days }: StorageCost) => ({
  ...{ payloadBytes: bytes, bytesPerTask: Math.round(bytesPerTask) },
  ...{ submissionBytes: Math.round(submissionBytes), days },
});
const [smallSize, oneKbSize] = sizes.map(({ of }) => of) as [StorageCost, StorageCost];
const all = {
  ...{ ...json, targets, rows: report.rows },
  storage: [storageOf(200, smallSize), storageOf(1_024, oneKbSize)],
};
if (options.json) console.log(JSON.stringify(all));
if (options.record)
  writeFileSync(new URL('./measured.json', import.meta.url), `${JSON.stringify(all, null, 2)}\n`);
report.print(
  `\nbench:cost: usdPerMillionTasks=${json.usdPerMillionTasks} usdPerMillionTasksSmall=${json.usdPerMillionTasksSmall} (targets ${targets.usdPerMillionTasks} and ${targets.usdPerMillionTasksSmall})`,
);
process.exit(isWithinTargets ? 0 : 1);
