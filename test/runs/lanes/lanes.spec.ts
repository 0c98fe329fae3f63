import { expect, it } from 'vitest';
import { longLane } from './contract.ts';
import { reportOf } from './report.ts';
import { runLanes } from './run.ts';

/** The speed of the clock of all processes and of SQS, so that the leases of a killed process expire within seconds. */
const speed = 8;
const lanes = 8;
const tasksPerLane = 6;
const longTasks = 60;

it('the tasks of each ordering key start in the order of their commits while a node and a worker are killed', async () => {
  const run = await runLanes({
    setup: { submitters: 2, workers: ['sqs', 'grpc', 'sqs'] },
    ...{ lanes, tasksPerLane, longTasks, perSecond: 50, window: lanes * tasksPerLane, seed: 1, speed },
    ...{ limitMs: 45_000, progress: () => {} },
  });
  const report = reportOf(run);
  const text = report.lines.join('\n');
  const expected = { lanes, tasks: lanes * tasksPerLane, outOfOrder: 0, overlapping: 0, left: 0 };
  expect(report, text).toMatchObject(expected);
  expect(run.heldAtKill, 'attempts that the killed worker held').toBeGreaterThan(0);
  const long = run.tasks.filter((task) => task.lane === longLane);
  expect(long.length).toBe(longTasks);
  // The tasks of the long lane run one by one, and most of them still wait.
  expect(long.filter((task) => task.endedAtMs !== undefined).length).toBeGreaterThan(0);
}, 60_000);
