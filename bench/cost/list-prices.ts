/**
 * The list prices of AWS, on demand and in US dollars without tax, by region. Each has its source and the date of the list that
 * states it. This is the only place of the repository with a price: the costs and the capacity are computed from it.
 */
export interface ListPrice {
  readonly usd: number;
  /** The offer in AWS's price list, or its page. */
  readonly source: string;
  /** The publication date of the list, or the day on which the page was read. */
  readonly asOf: string;
}

export type PriceName =
  | 'writeUnit'
  | 'readUnit'
  | 'storedGbMonth'
  | 'recoveryGbMonth'
  | 'sqsRequest'
  | 'vcpuHour'
  | 'memoryGbHour'
  | 'endpointHour'
  | 'endpointGb'
  | 'albHour'
  | 'lcuHour';

const offer = (name: string, asOf: string) => (usd: number) => ({ usd, source: `price list ${name}`, asOf });
const dynamodb = offer('AmazonDynamoDB', '2026-08-15');
const sqs = offer('AWSQueueService', '2025-08-28');
const fargate = offer('AmazonECS, Linux/ARM', '2026-07-07');
const vpc = offer('AmazonVPC', '2026-07-24');
const balancing = (usd: number): ListPrice => ({
  ...{ usd, source: 'https://aws.amazon.com/elasticloadbalancing/pricing/', asOf: '2026-05-08' },
});

export const listPrices = {
  'us-east-1': {
    writeUnit: dynamodb(0.625e-6),
    readUnit: dynamodb(0.125e-6),
    storedGbMonth: dynamodb(0.25),
    recoveryGbMonth: dynamodb(0.2),
    sqsRequest: sqs(0.5e-6),
    vcpuHour: fargate(0.03238),
    memoryGbHour: fargate(0.00356),
    endpointHour: vpc(0.01),
    endpointGb: vpc(0.01),
    albHour: balancing(0.0225),
    lcuHour: balancing(0.008),
  },
  'eu-central-1': {
    writeUnit: dynamodb(0.7625e-6),
    readUnit: dynamodb(0.1525e-6),
    storedGbMonth: dynamodb(0.306),
    recoveryGbMonth: dynamodb(0.2448),
    sqsRequest: sqs(0.5e-6),
    vcpuHour: fargate(0.03725),
    memoryGbHour: fargate(0.00409),
    endpointHour: vpc(0.012),
    endpointGb: vpc(0.01),
    albHour: balancing(0.027),
    lcuHour: balancing(0.008),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<PriceName, ListPrice>>>>;

export type PricedRegion = keyof typeof listPrices;
export const pricedRegions = Object.keys(listPrices) as readonly PricedRegion[];
