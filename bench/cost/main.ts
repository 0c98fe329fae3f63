/**
 * `npm run bench:cost`: what the service on DynamoDB and SQS consumes, by the capacity that the stand-in's answers
 * tell by AWS's rules, at list prices. A refused condition, for which it tells none, is charged as AWS does: the size
 * of what stood there, doubled in a transaction. `--json` prints one object.
 */
import { programOptions } from '../../test/fixtures/program-options.ts';
import { designs, unitsOf } from './designs.ts';
import { idleHour } from './idle.ts';
import { delayed, happyLife, heartbeat, type Life, minuteOfWork, ordered, retried } from './lives.ts';
import { demo, demoTasks, oneKb, type PayloadOf, small } from './payloads.ts';
import { plus, prices, usd } from './prices.ts';
import { duplicate, looking, waitedFor } from './reads.ts';
import { CostReport } from './report.ts';
import { type Stored, stored } from './storage.ts';

const options = programOptions('bench:cost', { json: false });
const report = new CostReport(options.json);
const many = 1_000;
const some = 100;
const few = 50;
const million = 1_000_000;

const whole = ({ life, looks }: Life) => plus(life, looks);

async function happy(name: string, payload: PayloadOf, count: number): Promise<Life> {
  const life = await happyLife(payload, count, 'full');
  report.million(`submit→done, ${name}`, whole(life));
  return life;
}

async function storage(name: string, payload: PayloadOf): Promise<Stored> {
  const found = await stored(payload, some);
  const { bytesPerTask, days, usdPerTask } = found;
  report.say(
    `${name}: ${Math.round(bytesPerTask)} bytes a task for ${days} days, $${(usdPerTask * million).toFixed(2)} per million`,
  );
  return found;
}

report.say(
  `$${prices.writeUnit * million} per million write units, $${prices.readUnit * million} read units, $${prices.sqsRequest * million} SQS FIFO requests`,
);
report.head('per million; submit→done with list, history and the reconciler');
const smallLife = await happy('200 B', small, many);
const life = await happy('1 KB random', oneKb, many);
await happy(`the demo's webhooks, 10 KB of JSON`, demo, demoTasks);
report.million('  of them the looks of the reconciler (1 KB)', life.looks);
report.million('submit→done, 1 KB, batches of one', whole(await happyLife(oneKb, few, 'single')));
report.million('submit→done, 1 KB, a minute of work: five heartbeats', await minuteOfWork(some));
report.million('submit→done, 1 KB, one retry', await retried(some));
report.million('submit→done, 1 KB, delayed', await delayed(some));
report.million('submit→done, 1 KB, ordered, full batches', await ordered(20, 10, 'full'));
report.million('submit→done, 1 KB, ordered, batches of one', await ordered(10, 5, 'single'));
report.million('submit→done, 1 KB, result waited for a second', await waitedFor(some));
report.head('per million, by itself');
report.million('duplicate of a task that is done', await duplicate(some, 'done'));
report.million('duplicate of a task that nobody claimed yet', await duplicate(some, 'waiting'));
report.million('heartbeat', await heartbeat(some));
const told = await looking(some);
report.million('task asked for by its id', told.get);
report.million('task with its whole history', told.history);
report.million('task listed by time, in pages of 100', told.list);
report.million('task listed by its state, in pages of 100', told.listSucceeded);
report.head('an idle hour: an API node, a worker process');
report.hour('1 queue', await idleHour(1));
report.hour('100 queues', await idleHour(100));
report.say('\nstorage until a task expires, default lifetime and retention');
const sizes = [
  { name: '200 B', of: await storage('200 B', small) },
  { name: '1 KB random', of: await storage('1 KB random', oneKb) },
];
await storage(`the demo's webhooks`, demo);
for (const { name, of } of sizes) {
  report.head(`designs considered, ${name}: COMPUTED, not run; without looks`);
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
const met =
  json.usdPerMillionTasks <= targets.usdPerMillionTasks &&
  json.usdPerMillionTasksSmall <= targets.usdPerMillionTasksSmall;
if (options.json) console.log(JSON.stringify({ ...json, targets, rows: report.rows }));
report.say(
  `\nbench:cost: usdPerMillionTasks=${json.usdPerMillionTasks} usdPerMillionTasksSmall=${json.usdPerMillionTasksSmall} (targets ${targets.usdPerMillionTasks} and ${targets.usdPerMillionTasksSmall})`,
);
process.exit(met ? 0 : 1);
