import { expect, it } from 'vitest';
import { longLane } from './contract.ts';
import { reportOf } from './report.ts';
import { runLanes } from './run.ts';

/** So that what a killed process held is free again in seconds: the processes and SQS share one clock. */
const speed = 8;
const lanes = 8;
const tasksPerLane = 6;
const longTasks = 60;

it('keeps every lane in the order of its commits while a node and a worker are killed', async () => {
  const run = await runLanes({
    cast: { submitters: 2, workers: ['sqs', 'grpc', 'sqs'] },
    ...{ lanes, tasksPerLane, longTasks, perSecond: 50, window: lanes * tasksPerLane, seed: 1, speed },
    ...{ limitMs: 45_000, progress: () => {} },
  });
  const report = reportOf(run);
  const said = report.lines.join('\n');
  const asItShouldBe = { lanes, tasks: lanes * tasksPerLane, outOfOrder: 0, overlapping: 0, left: 0 };
  expect(report, said).toMatchObject(asItShouldBe);
  expect(run.heldAtKill, 'killed in the middle of attempts').toBeGreaterThan(0);
  const long = run.tasks.filter((task) => task.lane === longLane);
  expect(long.length).toBe(longTasks);
  // It goes on, one by one, and most of it waits.
  expect(long.filter((task) => task.endedAtMs !== undefined).length).toBeGreaterThan(0);
}, 60_000);
