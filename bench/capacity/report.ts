import type { Capacity } from './capacity.ts';
import { requestsOf } from './sizes.ts';

export const count = (value: number): string => Math.round(value).toLocaleString('en-US');

export const dollars = (usd: number): string =>
  `$${usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

/** Returns the capacity as lines for people. */
export function reportOf(capacity: Capacity): string {
  const { workload, sizes, costs, usdPerMonth, usdPerMillionTasks, bounds, firstLimit } = capacity;
  const { rate, payloadBytes, ordered, region, workMs, queues, zones } = workload;
  const { units } = sizes;
  const per = (value: number): string => `${count(value * rate)} a second (${value.toFixed(2)} a task)`;
  const row = (name: string, value: string): string => `  ${name.padEnd(34)}${value}`;
  return [
    `${count(rate)} ${ordered ? 'ordered ' : ''}tasks a second of ${count(payloadBytes)} B, ${count(workMs)} ms of work, ${queues} queue(s), ${zones} zones, list prices of ${region}`,
    '',
    'what it needs',
    row('write units', per(units.writes)),
    row('read units', per(units.reads)),
    row('stored', `${count(sizes.storedGb)} GB`),
    row('partitions of the table', count(sizes.tablePartitions)),
    row('shards', `list ${sizes.listShards} for each queue, due ${sizes.dueShards}`),
    row(
      'requests of an SQS action',
      `${count(sizes.queueRequests)} a second and queue (${requestsOf(units).toFixed(2)} a task)`,
    ),
    row('messages in flight', `${count(sizes.inFlight)} a queue`),
    row(
      'tasks of Fargate',
      `${count(sizes.servers)} servers, ${count(sizes.workers)} workers, 1 canary; ${count(sizes.vcpus)} processors`,
    ),
    '',
    'a month',
    ...costs.map(({ name, usdPerMonth: usd }) => row(name, dollars(usd).padStart(16))),
    row('in all', dollars(usdPerMonth).padStart(16)),
    row('a million tasks', dollars(usdPerMillionTasks).padStart(16)),
    '',
    'limits, in the order in which a growing rate meets them',
    ...bounds.map(
      ({ name, tasksPerSecond, isExceeded, lift }) =>
        `  ${`${count(tasksPerSecond)}/s`.padStart(14)}  ${isExceeded ? 'exceeded' : '        '}  ${name}: ${lift}`,
    ),
    '',
    `capacity: usdPerMonth=${usdPerMonth} firstLimit="${firstLimit.name}" at=${firstLimit.tasksPerSecond} exceeded=${firstLimit.isExceeded}`,
  ].join('\n');
}
