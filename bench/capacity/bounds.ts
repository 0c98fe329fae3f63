/** Computes at which rate each limit of AWS, or of the table's design, is reached, and what lifts it. */
import { defaultShards, mostShards } from '../../src/engines/aws/index.ts';
import { queueRequests, quotas } from './quotas.ts';
import { dueWritesOf, inFlightSeconds, requestsOf, sizesOf, unitsOf } from './sizes.ts';
import type { Workload } from './workload.ts';

export interface Bound {
  readonly name: string;
  /** The rate that the limit allows; a higher one exceeds it. */
  readonly tasksPerSecond: number;
  readonly isExceeded: boolean;
  /** The action that lifts it. */
  readonly lift: string;
  readonly source: string;
}

const shardWrites = quotas.partitionWrites.value;
const highestRate = 1e9;
const count = (value: number): string => value.toLocaleString('en-US');

/** Returns the highest whole rate for which the tasks of Fargate have at most so many processors. */
function rateOfVcpus(workload: Workload, vcpus: number): number {
  let [allowed, refused] = [0, highestRate];
  while (refused - allowed > 1) {
    const rate = Math.floor((allowed + refused) / 2);
    if (sizesOf({ ...workload, rate }).vcpus <= vcpus) allowed = rate;
    else refused = rate;
  }
  return allowed;
}

/** Returns the limits of a workload, the lowest first. A limit that no rate reaches is left out. */
export function boundsOf(workload: Workload): readonly Bound[] {
  const { rate, queues, region } = workload;
  const units = unitsOf(workload);
  const tableWrites = units.writes - units.indexWrites;
  const dueWrites = dueWritesOf(units);
  const requests = queueRequests[region];
  const design = 'docs/aws.md#shards';
  const all: readonly Omit<Bound, 'isExceeded'>[] = [
    {
      name: `a new table takes ${count(quotas.newTableWrites.value)} write units a second`,
      tasksPerSecond: quotas.newTableWrites.value / tableWrites,
      lift: 'let the rate grow to twice its peak in 30 minutes at most, or warm the table first: aws dynamodb update-table --warm-throughput',
      source: quotas.newTableWrites.source,
    },
    {
      name: `${quotas.vcpus.value} processors of Fargate in a region`,
      tasksPerSecond: rateOfVcpus(workload, quotas.vcpus.value),
      lift: 'raise the quota L-3032A538 of Fargate in Service Quotas; a rolling deployment needs twice the servers for a while',
      source: quotas.vcpus.source,
    },
    {
      name: `${count(quotas.tableWrites.value)} write units a second of a table with its indexes`,
      tasksPerSecond: quotas.tableWrites.value / units.writes,
      lift: 'raise the table-level write quota of DynamoDB in Service Quotas',
      source: quotas.tableWrites.source,
    },
    {
      name: `${count(quotas.tableReads.value)} read units a second of a table`,
      tasksPerSecond: quotas.tableReads.value / units.reads,
      lift: 'raise the table-level read quota of DynamoDB in Service Quotas',
      source: quotas.tableReads.source,
    },
    {
      name: `${defaultShards.list} list shards at first`,
      tasksPerSecond: defaultShards.list * shardWrites * queues,
      lift: 'holdfast aws init --list-shards, or more queues',
      source: design,
    },
    {
      name: `${mostShards.list} list shards at most`,
      tasksPerSecond: mostShards.list * shardWrites * queues,
      lift: 'more queues',
      source: design,
    },
    {
      name: `${defaultShards.due} due shards at first`,
      tasksPerSecond: (defaultShards.due * shardWrites) / dueWrites,
      lift: 'holdfast aws init --due-shards',
      source: design,
    },
    {
      name: `${mostShards.due} due shards at most`,
      tasksPerSecond: (mostShards.due * shardWrites) / dueWrites,
      lift: 'a second installation with a table of its own',
      source: design,
    },
    {
      name: `${count(requests.value)} requests a second of an action on an SQS queue`,
      tasksPerSecond: (requests.value / requestsOf(units)) * queues,
      lift: 'more queues, or a higher quota from AWS Support',
      source: requests.source,
    },
    {
      name: `${count(quotas.inFlight.value)} messages in flight of an SQS queue`,
      tasksPerSecond: (quotas.inFlight.value / inFlightSeconds(workload)) * queues,
      lift: 'more queues, or a higher quota from AWS Support',
      source: quotas.inFlight.source,
    },
  ];
  return all
    .filter(({ tasksPerSecond }) => Number.isFinite(tasksPerSecond))
    .map((bound) => ({ ...bound, tasksPerSecond: Math.floor(bound.tasksPerSecond) }))
    .map((bound) => ({ ...bound, isExceeded: rate > bound.tasksPerSecond }))
    .sort((a, b) => a.tasksPerSecond - b.tasksPerSecond);
}
