/**
 * `npm run test:telemetry`: tasks whose first attempts fail go through a client, a server and a worker, which are processes of
 * their own. It prints the traces of one task as trees, with the lines of the log that name it and the metrics of all tasks, and
 * fails if a span's parent is missing, a task has not every span that it must have, or the metrics miss a task's end.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { missingOf } from './expected-spans.ts';
import { metricLines, missingMetrics } from './metrics-of-run.ts';
import { type EngineName, runTasks, type TelemetryOfTasks, type WorkerName } from './run.ts';
import { orphansOf, tracesOf, treeOf } from './trace-tree.ts';

const {
  tasks: count,
  engine,
  worker,
} = programOptions('test:telemetry', { tasks: 10, engine: '', worker: '' });
const engines = (engine === '' ? ['sqlite', 'aws'] : [engine]) as readonly EngineName[];
const workers = (worker === '' ? ['sdk', 'python'] : [worker]) as readonly WorkerName[];

function print({ ids, spans, lines, metrics }: TelemetryOfTasks): void {
  const [id = ''] = ids;
  for (const [i, traceId] of tracesOf(spans, id).entries()) {
    console.log(`${i === 0 ? `task ${id}, trace` : 'later attempt, trace'} ${traceId}`);
    for (const line of treeOf(spans, traceId)) console.log(`  ${line}`);
  }
  if (lines.some(({ task_id }) => task_id === id)) console.log('its lines:');
  for (const { level, msg, task_id, ...fields } of lines)
    if (task_id === id) console.log(`  ${level} ${msg} ${JSON.stringify(fields)}`);
  console.log('the metrics of all tasks:');
  for (const line of metricLines({ metrics })) console.log(`  ${line}`);
}

let [spans, orphans, missing] = [0, 0, 0];
const runs = engines.flatMap((name) => workers.map((one) => [name, one] as const));
for (const [name, one] of runs) {
  console.log(`── ${name}, ${one === 'sdk' ? 'holdfast worker' : 'a worker in Python'} ──`);
  const telemetry = await runTasks(name, one, count);
  print(telemetry);
  const lost = orphansOf(telemetry.spans);
  for (const span of lost) console.log('an orphan:', span);
  const ofTasks = telemetry.ids.flatMap((id) => missingOf(telemetry, id, name, one));
  const absent = [...ofTasks, ...missingMetrics(telemetry)];
  for (const line of absent) console.log(`missing: ${line}`);
  spans += telemetry.spans.length;
  orphans += lost.length;
  missing += absent.length;
  console.log(`${name}, ${one}: spans=${telemetry.spans.length} orphans=${lost.length}`);
}
console.log(`telemetry: spans=${spans} orphans=${orphans}`);
process.exitCode = spans > 0 && orphans === 0 && missing === 0 ? 0 : 1;
