import { prices } from '../../bench/cost/prices.ts';
import { type Dashboard, quantileOf, rateOf } from './definition.ts';

const million = 1_000_000;
const perMillion = (price: number): string => String(Number((price * million).toFixed(6)));

/** Returns the list prices of all units that were consumed within a time, in dollars, by their kind. */
function dollars(range: string): string {
  const units = (kinds: string): string =>
    `sum by (kind) (increase(holdfast_aws_consumed_total{kind=~"${kinds}"}[${range}]))`;
  return [
    `${units('write|index')} * $write_price / 1e6`,
    `${units('read')} * $read_price / 1e6`,
    `${units('sqs')} * $sqs_price / 1e6`,
  ].join('\nor ');
}

const ended = (range: string): string => `sum(increase(holdfast_task_ended_total[${range}]))`;

export const aws: Dashboard = {
  name: 'AWS',
  description:
    'What AWS does, and the money that it bills. The prices are list prices of us-east-1, on demand: write those of your region above.',
  variables: [
    {
      name: 'write_price',
      label: '$ a million write units (us-east-1)',
      text: perMillion(prices.writeUnit),
    },
    { name: 'read_price', label: '$ a million read units (us-east-1)', text: perMillion(prices.readUnit) },
    {
      name: 'sqs_price',
      label: '$ a million requests to SQS FIFO (us-east-1)',
      text: perMillion(prices.sqsRequest),
    },
  ],
  panels: [
    {
      title: 'Dollars per million tasks',
      description:
        'The units of the last hour times the prices above, divided by the tasks that ended in it. Without storage, data transfer and backups. With few tasks the idle cost of the nodes is most of it.',
      unit: 'currencyUSD',
      queries: [{ promql: `sum(${dollars('1h')}) / (${ended('1h')} > 0) * 1e6`, legend: 'all' }],
    },
    {
      title: 'Dollars a day',
      description: 'The units of the last hour times the prices above, times 24.',
      unit: 'currencyUSD',
      queries: [{ promql: `(${dollars('1h')}) * 24`, legend: '{{kind}}' }],
    },
    {
      title: 'Units per task',
      description: 'The units of the last hour, divided by the tasks that ended in it.',
      queries: [
        {
          promql: `sum by (kind) (increase(holdfast_aws_consumed_total[1h]))\n/ on () group_left () (${ended('1h')} > 0)`,
          legend: '{{kind}}',
        },
      ],
    },
    {
      title: 'Requests',
      description: 'The time of single HTTP requests to DynamoDB and SQS, those of the retries too.',
      unit: 's',
      queries: [
        {
          promql: quantileOf(0.99, 'holdfast_aws_request_duration_seconds', 'operation'),
          legend: '{{operation}}',
        },
      ],
    },
    {
      title: 'Throttles',
      description: 'Requests a second that AWS throttled.',
      unit: 'ops',
      queries: [{ promql: rateOf('holdfast_aws_throttled_total', 'operation'), legend: '{{operation}}' }],
    },
  ],
};
