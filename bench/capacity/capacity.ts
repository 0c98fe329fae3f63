/** Computes the cost of a workload in a month, beside its sizes and its limits. */
import { listPrices, type PriceName } from '../cost/list-prices.ts';
import { type Bound, boundsOf } from './bounds.ts';
import { unitsOfRow } from './measured.ts';
import { fargate, type Sizes, sizesOf } from './sizes.ts';
import type { Workload } from './workload.ts';

const hoursAMonth = 730;
const secondsAnHour = 3_600;
const dueShardReadsAnHour = 1_800;
/** The services that the network of the CDK reaches by interface endpoints. */
export const interfaceEndpoints = ['sqs', 'ecr.api', 'ecr.dkr', 'logs', 'secretsmanager'] as const;
/** Bytes of a task that pass the load balancer beside its payload, which passes twice: headers, ids, lease, settlement. */
const balancedBytes = 900;
/** Bytes of a task's messages that pass the endpoint of SQS: sent, received and deleted. */
const messageBytes = 1_500;
const lcuBytesAnHour = 1e9;

export interface CostLine {
  readonly name: string;
  readonly usdPerMonth: number;
}

export interface Capacity {
  readonly workload: Workload;
  readonly sizes: Sizes;
  readonly costs: readonly CostLine[];
  readonly usdPerMonth: number;
  readonly usdPerMillionTasks: number;
  readonly bounds: readonly Bound[];
  /** The limit with the lowest rate, whether the workload exceeds it or not. */
  readonly firstLimit: Bound;
}

const cents = (usd: number): number => Math.round(usd * 100) / 100;

export function capacityOf(workload: Workload): Capacity {
  const { rate, payloadBytes, region, zones } = workload;
  const sizes = sizesOf(workload);
  const price = (name: PriceName): number => listPrices[region][name].usd;
  const idle = unitsOfRow('1 queue');
  const tasks = rate * hoursAMonth * secondsAnHour;
  const { units, storedGb, servers, workers, dueShards } = sizes;
  const idleReads = idle.reads + Math.max(0, dueShards - 8) * dueShardReadsAnHour;
  const { server, worker, canary } = fargate;
  const run = (count: number, { vcpus, memoryGb }: { vcpus: number; memoryGb: number }): number =>
    count * hoursAMonth * (vcpus * price('vcpuHour') + memoryGb * price('memoryGbHour'));
  const lines: readonly (readonly [name: string, usd: number])[] = [
    ['DynamoDB writes', (units.writes * tasks + idle.writes * hoursAMonth) * price('writeUnit')],
    ['DynamoDB reads', (units.reads * tasks + idleReads * hoursAMonth) * price('readUnit')],
    ['DynamoDB storage', storedGb * price('storedGbMonth')],
    ['DynamoDB point-in-time recovery', storedGb * price('recoveryGbMonth')],
    ['SQS requests', (units.sqsCalls * tasks + idle.sqsCalls * hoursAMonth) * price('sqsRequest')],
    ['Fargate, servers', run(servers, server)],
    ['Fargate, workers', run(workers, worker)],
    ['Fargate, canary', run(1, canary)],
    [
      'Application Load Balancer',
      hoursAMonth * price('albHour') +
        ((tasks * (2 * payloadBytes + balancedBytes)) / lcuBytesAnHour) * price('lcuHour'),
    ],
    [
      'Interface endpoints',
      interfaceEndpoints.length * zones * hoursAMonth * price('endpointHour') +
        ((tasks * messageBytes) / 1e9) * price('endpointGb'),
    ],
  ];
  const costs = lines.map(([name, usd]) => ({ name, usdPerMonth: cents(usd) }));
  const usdPerMonth = cents(costs.reduce((sum, { usdPerMonth: usd }) => sum + usd, 0));
  const bounds = boundsOf(workload);
  return {
    ...{ workload, sizes, costs, usdPerMonth, bounds },
    usdPerMillionTasks: cents((usdPerMonth / tasks) * 1e6),
    firstLimit: bounds[0] as Bound,
  };
}
