/** Computes what a workload needs: units of the table, partitions, shards, requests of SQS and tasks of Fargate. */
import { defaultShards, mostShards } from '../../src/engines/aws/index.ts';
import { plus, times, type Units } from '../cost/prices.ts';
import { cost, processor, unitsOfRow } from './measured.ts';
import { quotas } from './quotas.ts';
import type { Workload } from './workload.ts';

const kilobyte = 1_024;
const readUnitBytes = 4_096;
const partitionGb = 10;
const secondsADay = 86_400;
/** A worker extends its leases this often. */
const heartbeatMs = 10_000;
/** The share of a processor, or of a worker's slots, that is planned with: the rest is for peaks, and for a zone that fails. */
const planned = 0.5;
/** The writes a second that a shard is planned with: half of what its partition takes, since slots fall unevenly within a second. */
const shardWrites = quotas.partitionWrites.value / 2;
/** How long a dispatch message is in flight beside the work of its task, in s: claimed, and deleted in a batch. */
const dispatchSeconds = 1;

/** The sizes of the tasks of Fargate. A process of Node uses one processor. */
export const fargate = {
  server: { vcpus: 1, memoryGb: 2, least: 2 },
  worker: { vcpus: 0.5, memoryGb: 1, least: 1 },
  canary: { vcpus: 0.25, memoryGb: 0.5, least: 1 },
} as const;

/** Returns the consumption of one task. */
export function unitsOf({ payloadBytes, ordered, workMs }: Workload): Units {
  const [, measured] = cost.storage;
  const overhead = measured.submissionBytes - measured.payloadBytes;
  const size = (bytes: number, unit: number): number => Math.max(1, Math.ceil((bytes + overhead) / unit));
  const life = ordered
    ? plus(
        unitsOfRow('submit→done, 1 KB, ordered, full batches'),
        unitsOfRow('of which for reconcile passes (1 KB)'),
      )
    : unitsOfRow('submit→done, 1 KB random');
  const beats = times(unitsOfRow('heartbeat'), Math.floor(Math.max(0, workMs - 1) / heartbeatMs));
  const whole = plus(life, beats);
  // A transaction costs twice as much for each item, and an ordered submission is one.
  const moreKilobytes = size(payloadBytes, kilobyte) - size(measured.payloadBytes, kilobyte);
  const moreReads = size(payloadBytes, readUnitBytes) - size(measured.payloadBytes, readUnitBytes);
  return {
    ...whole,
    writes: whole.writes + moreKilobytes * (ordered ? 2 : 1),
    reads: whole.reads + moreReads / 2,
  };
}

export interface Sizes {
  readonly units: Units;
  readonly storedGb: number;
  readonly tablePartitions: number;
  readonly listShards: number;
  readonly dueShards: number;
  /** The requests a second of the busiest action of SQS on one queue. */
  readonly queueRequests: number;
  readonly inFlight: number;
  readonly servers: number;
  readonly workers: number;
  readonly vcpus: number;
}

/** Returns the writes of a task to the index of due tasks: those of its index writes that are not for the list. */
export function dueWritesOf({ indexWrites }: Units): number {
  return Math.max(0, indexWrites - 1);
}

/** Returns the seconds for which the dispatch message of a task is in flight. */
export function inFlightSeconds({ workMs }: Workload): number {
  return workMs / 1_000 + dispatchSeconds;
}

/** Returns the requests of one action of SQS for a task: sends, receives and deletions are about a third each. */
export function requestsOf({ sqsCalls }: Units): number {
  return sqsCalls / 3;
}

export function sizesOf(workload: Workload): Sizes {
  const { rate, payloadBytes, queues, workMs, slots } = workload;
  const units = unitsOf(workload);
  const [, measured] = cost.storage;
  const bytes = measured.bytesPerTask + payloadBytes - measured.payloadBytes;
  const storedGb = (rate * secondsADay * measured.days * bytes) / 1e9;
  const tableWrites = (units.writes - units.indexWrites) * rate;
  const shards = (least: number, most: number, writes: number): number =>
    Math.min(most, Math.max(least, Math.ceil(writes / shardWrites)));
  const { server, worker, canary } = fargate;
  const servers = Math.max(
    server.least,
    Math.ceil((rate * processor.serverCpuMsPerTask) / 1_000 / (planned * server.vcpus)),
  );
  const workers = Math.max(
    worker.least,
    Math.ceil((rate * processor.workerCpuMsPerTask) / 1_000 / (planned * worker.vcpus)),
    Math.ceil((rate * workMs) / 1_000 / (planned * slots)),
  );
  return {
    ...{ units, storedGb, servers, workers },
    tablePartitions: Math.max(
      1,
      Math.ceil(tableWrites / quotas.partitionWrites.value),
      Math.ceil((units.reads * rate) / quotas.partitionReads.value),
      Math.ceil(storedGb / partitionGb),
    ),
    listShards: shards(defaultShards.list, mostShards.list, rate / queues),
    dueShards: shards(defaultShards.due, mostShards.due, dueWritesOf(units) * rate),
    queueRequests: (requestsOf(units) * rate) / queues,
    inFlight: (rate * inFlightSeconds(workload)) / queues,
    vcpus: servers * server.vcpus + workers * worker.vcpus + canary.vcpus,
  };
}
