// `npm run docs:capacity` writes docs/capacity.md from the measured costs and the list prices. page.spec.ts compares both.
import { writeFileSync } from 'node:fs';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { type ListPrice, listPrices, type PricedRegion, pricedRegions } from '../cost/list-prices.ts';
import { type Capacity, capacityOf } from './capacity.ts';
import { processor } from './measured.ts';
import { queueRequests, quotas } from './quotas.ts';
import { count, dollars } from './report.ts';
import { fargate } from './sizes.ts';
import { defaultWorkload, type Workload } from './workload.ts';

const rates = [10, 100, 500, 2_000, 10_000, 100_000] as const;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function ratesTable(more: Partial<Workload>): string {
  const all = rates.map((rate) => capacityOf({ ...defaultWorkload, ...more, rate }));
  const row = ({ workload, sizes, usdPerMonth, usdPerMillionTasks, bounds }: Capacity): string[] => [
    count(workload.rate),
    count(sizes.units.writes * workload.rate),
    count(sizes.tablePartitions),
    `${sizes.listShards}, ${sizes.dueShards}`,
    count(sizes.queueRequests),
    `${count(sizes.servers)}, ${count(sizes.workers)}`,
    dollars(usdPerMonth),
    dollars(usdPerMillionTasks),
    count(bounds.filter(({ isExceeded }) => isExceeded).length),
  ];
  const head = [
    ...['tasks a second', 'write units a second', 'partitions', 'list, due shards'],
    ...['requests of an SQS action', 'servers, workers', '$ a month', '$ a million', 'limits exceeded'],
  ];
  return table(head, all.map(row));
}

function boundsTable(more: Partial<Workload>): string {
  const { bounds } = capacityOf({ ...defaultWorkload, ...more, rate: 1 });
  return table(
    ['from tasks a second', 'limit', 'what lifts it', 'stated in'],
    bounds.map(({ tasksPerSecond, name, lift, source }) => [count(tasksPerSecond), name, lift, source]),
  );
}

function costTable(rate: number): string {
  const { costs, usdPerMonth } = capacityOf({ ...defaultWorkload, rate });
  const rows = costs.map(({ name, usdPerMonth: usd }) => [name, dollars(usd)]);
  return table(['part', '$ a month'], [...rows, ['in all', dollars(usdPerMonth)]]);
}

function priceTable(): string {
  const priceOf = (region: PricedRegion, name: string): ListPrice =>
    listPrices[region][name as keyof (typeof listPrices)[PricedRegion]];
  const names = Object.keys(listPrices['us-east-1']);
  return table(
    ['price', ...pricedRegions, 'source', 'as of'],
    names.map((name) => {
      const { source, asOf } = priceOf('us-east-1', name);
      const figures = pricedRegions.map((region) => {
        const { usd } = priceOf(region, name);
        return usd < 1e-4 ? `$${Number((usd * 1e6).toFixed(4))} a million` : `$${usd}`;
      });
      return [`\`${name}\``, ...figures, source, asOf];
    }),
  );
}

/** Returns the text of docs/capacity.md. */
export function capacityPage(): string {
  const { server, worker } = fargate;
  return `# Capacity and money

This page is written by \`npm run docs:capacity\` from the measured costs of a task ([cost](cost.md)), the measured processor time, and the list
prices and quotas of AWS. For other figures:

    npm run capacity -- --rate 500
    npm run capacity -- --rate 2000 --payload-bytes 10000 --ordered --region eu-central-1 --work-ms 2000
    npm run --silent capacity -- --rate 100000 --json

\`--rate\` is a load that goes on all month, in tasks a second, each of which succeeds at its first attempt. The defaults: ${count(defaultWorkload.payloadBytes)} B of
payload that does not compress, handlers of ${defaultWorkload.workMs} ms (\`--work-ms\`), workers with ${defaultWorkload.slots} slots (\`--slots\`), ${defaultWorkload.queues} queue (\`--queues\`), ${defaultWorkload.zones} zones (\`--zones\`), region
${defaultWorkload.region} (\`--region\`: ${pricedRegions.join(' or ')}). The object of \`--json\` has \`usdPerMonth\`, \`firstLimit\` (its \`name\`, \`tasksPerSecond\`, \`isExceeded\` and \`lift\`), every
limit in \`bounds\`, and all the rest.

## A load, and what it costs

${ratesTable({})}

With an ordering key for each task:

${ratesTable({ ordered: true })}

A rate above a limit needs the action that lifts it first: see below. At 500 tasks a second the parts are:

${costTable(500)}

## The limits, in the order in which a growing rate meets them

${boundsTable({})}

With an ordering key the index of due tasks carries each end in a lane, and the order is another:

${boundsTable({ ordered: true })}

## How it is computed

- **Units of a task** are those of \`npm run bench:cost -- --record\` (\`bench/cost/measured.json\`), in full batches. A larger payload adds a write unit for each
  kilobyte, two if it is ordered, and half a read unit for each 4 KB. A task that works longer than 10 s adds a heartbeat every 10 s.
- **Partitions** are the larger of ${count(quotas.partitionWrites.value)} write units, ${count(quotas.partitionReads.value)} read units and 10 GB for each. **Shards** are planned with half of a
  partition's writes, as [on AWS](aws.md#shards).
- **Servers** have ${server.vcpus} processor and ${server.memoryGb} GB, and there are ${server.least} at least; workers have ${worker.vcpus} and ${worker.memoryGb} GB. Both are planned to be half busy. A task needs
  ${processor.serverCpuMsPerTask} ms of processor time in the server and ${processor.workerCpuMsPerTask} ms in the worker beside its handler: measured by \`npm run bench:cpu\` on one
  \`${processor.processor}\` with stand-ins for AWS, without TLS between server and AWS. A processor of Fargate on arm64 is another one: measure there before
  you rely on it.
- **Storage** is kept for the default lifetime and retention. Point-in-time recovery is charged here for the indexes too, so at most.
- Each request of SQS is a third of the sends, receives and deletions. ${count(queueRequests['us-east-1'].value)} requests a second are for us-east-1, ${count(queueRequests['eu-central-1'].value)} for eu-central-1.
- The load balancer is an ALB, which carries each payload twice.
- **Not included**: retries, results above a kilobyte, lists and other reads by people, Spot and Savings Plans, the free tier, data transfer, lines of the log
  and their metrics, the flow log, Container Insights, keys of KMS, alarms, images, support and tax.

## Prices

List prices on demand in US dollars, without tax, from \`bench/cost/list-prices.ts\`. The source is AWS's price list
(\`https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<offer>/current/<region>/index.json\`) with its publication date, or the page.

${priceTable()}
`;
}

if (import.meta.main) {
  programOptions('docs:capacity', {});
  writeFileSync(new URL('../../docs/capacity.md', import.meta.url), capacityPage());
}
