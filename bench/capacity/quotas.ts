/** The quotas and limits of AWS by which a deployment of Holdfast is bounded, with the page that states each. */
import type { PricedRegion } from '../cost/list-prices.ts';

export interface Quota {
  readonly value: number;
  readonly source: string;
}

const dynamodb = 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide';
const sqs = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide';

export const quotas = {
  /** The write units a second that a new table on demand takes at once. */
  newTableWrites: { value: 4_000, source: `${dynamodb}/warm-throughput.html` },
  tableWrites: { value: 40_000, source: `${dynamodb}/ServiceQuotas.html` },
  tableReads: { value: 40_000, source: `${dynamodb}/ServiceQuotas.html` },
  partitionWrites: { value: 1_000, source: `${dynamodb}/warm-throughput-scenarios.html` },
  partitionReads: { value: 3_000, source: `${dynamodb}/warm-throughput-scenarios.html` },
  inFlight: { value: 120_000, source: `${sqs}/quotas-fifo.html` },
  vcpus: { value: 6, source: 'https://docs.aws.amazon.com/general/latest/gr/ecs-service.html' },
} as const satisfies Readonly<Record<string, Quota>>;

/** The requests a second of each action of SQS on a FIFO queue of high throughput, by region. */
export const queueRequests: Readonly<Record<PricedRegion, Quota>> = {
  'us-east-1': { value: 70_000, source: `${sqs}/quotas-messages.html` },
  'eu-central-1': { value: 19_000, source: `${sqs}/quotas-messages.html` },
};
