import { codes } from '../../../core/errors.ts';
import { errorTypes } from './error-types.ts';
import { callBounds, type MetricDefinition, names } from './metric.ts';

const onServer = ['server'] as const;
const everywhere = ['server', 'worker'] as const;

const statusCodes = ['OK', ...codes];

/** Calls, the store, AWS and certificates. */
export const nodeMetrics = {
  'rpc.server.call.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: callBounds,
    labels: { 'rpc.method': names, 'rpc.status_code': statusCodes, 'error.type': errorTypes },
    description:
      'The time of unary calls of the API, from when the server begins them. `error.type` is the reason of the error.',
    usedBy: 'panel Overview: calls; panel Overview: slow calls; panel Overview: refused calls',
    on: onServer,
  },
  'rpc.client.call.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: callBounds,
    labels: { 'rpc.method': names, 'rpc.status_code': statusCodes, 'error.type': errorTypes },
    description: 'The time of unary calls that this process made, each try by itself.',
    usedBy: 'panel Workers: calls',
    on: ['worker'],
  },
  'holdfast.store.commit.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: callBounds,
    labels: { engine: ['sqlite', 'aws', 'memory'], operation: ['accept', 'append'] },
    description: 'The time of one write to the store, until it was committed.',
    usedBy: 'panel Store: commits; verdict STORE_THROTTLED',
    on: onServer,
  },
  'holdfast.store.commit.rows': {
    kind: 'histogram',
    unit: '{row}',
    bounds: [1, 2, 5, 10, 20, 50, 100],
    labels: { engine: ['sqlite', 'aws', 'memory'], operation: ['accept', 'append'] },
    description: 'The tasks of one write to the store.',
    usedBy: 'panel Store: tasks of a commit',
    on: onServer,
  },
  'holdfast.store.size': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The size of the file of an embedded store.',
    usedBy: 'alert StoreSize; panel Store: size',
    on: onServer,
  },
  'holdfast.store.wal.size': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The size of the log of an embedded store (`-wal`).',
    usedBy: 'alert StoreSize; panel Store: size',
    on: onServer,
  },
  'holdfast.overload.state': {
    kind: 'gauge',
    combine: 'max',
    unit: '{state}',
    labels: { dependency: ['table', 'queues'] },
    description: 'The circuit breaker of a service of AWS: 0 closed, 1 half open, 2 open.',
    usedBy: 'panel Store: breakers; verdict STORE_THROTTLED',
    on: onServer,
  },
  'holdfast.submissions.refused': {
    kind: 'counter',
    unit: '{task}',
    labels: { why: errorTypes },
    description: 'Submissions that were refused, alone or with their whole call, by the reason of the error.',
    usedBy: 'panel Store: refused submissions',
    on: onServer,
  },
  'holdfast.aws.request.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: callBounds,
    labels: { operation: names },
    description: 'The time of single HTTP requests to DynamoDB and SQS, also those of the retries.',
    usedBy: 'panel AWS: requests',
    on: everywhere,
  },
  'holdfast.aws.consumed': {
    kind: 'counter',
    unit: '{unit}',
    labels: { kind: ['write', 'index', 'read', 'sqs'] },
    description:
      'What AWS bills: write units of the table, those of its indexes, read units, and requests to SQS. Times the list price they are dollars.',
    usedBy: 'panel AWS: dollars per million tasks; panel AWS: dollars a day; panel AWS: units per task',
    on: everywhere,
  },
  'holdfast.aws.throttled': {
    kind: 'counter',
    unit: '{request}',
    labels: { operation: names },
    description: 'Requests that AWS throttled, retries included.',
    usedBy: 'panel AWS: throttles; verdict STORE_THROTTLED',
    on: everywhere,
  },
  'holdfast.stream.open': {
    kind: 'gauge',
    combine: 'sum',
    unit: '{stream}',
    labels: {},
    description: 'The streams that clients have open on this node.',
    usedBy: 'panel Overview: streams',
    on: onServer,
  },
  'holdfast.stream.buffered': {
    kind: 'gauge',
    combine: 'sum',
    unit: 'By',
    labels: {},
    description: 'The bytes that were given to streams and not sent yet, because their clients read slowly.',
    usedBy: 'panel Overview: streams',
    on: onServer,
  },
  'holdfast.header.refused': {
    kind: 'counter',
    unit: '{request}',
    labels: { listener: ['grpc', 'http', 'alb', 'metrics'], cause: ['forged', 'certificate', 'network'] },
    description:
      'Requests that were refused because of a header `x-amzn-mtls-…`, in which a load balancer passes on the certificate of its client. `forged`: on a listener that takes no such header. `certificate`: its certificate was refused on the listener for a load balancer. `network`: connections to that listener from addresses that are not the load balancer’s.',
    usedBy: 'panel Overview: refused identities',
    on: ['server', 'worker', 'canary'],
  },
  'holdfast.certificate.expiry': {
    kind: 'gauge',
    combine: 'min',
    unit: 's',
    labels: { role: ['server', 'client', 'authority'] },
    description:
      'The time until a certificate of this process expires; below 0 it has expired. `authority`: the one that expires first.',
    usedBy: 'alert CertificateExpiry; panel Overview: certificates',
    on: everywhere,
  },
} as const satisfies Record<string, MetricDefinition>;
