/**
 * The one definition of all rules of Prometheus: how each objective is measured, and when an alert fires.
 * `npm run rules` makes the files of deploy/observability of it.
 */
import {
  canaryQueue,
  endWithinMs,
  type ObjectiveName,
  startWithinMs,
} from '../../src/core/objectives/objectives.ts';
import { windowText } from '../../src/core/objectives/window-text.ts';

/** Writes the lengths of time of the rules. The drills shorten all of them by one factor. */
export interface Lengths {
  /** Writes a window, or how long a condition must hold, as PromQL does. */
  text(ms: number): string;
  /** Returns the number of seconds with which the age of a task is compared. */
  seconds(ms: number): number;
}

export function lengthsBy(factor: number): Lengths {
  return { text: (ms) => windowText(Math.round(ms / factor)), seconds: (ms) => ms / factor / 1_000 };
}

/** How the share of bad events over a window is computed: a ratio, or two queries that are divided. */
export type Indicator =
  | { readonly ratio: string }
  | {
      /** Counts the bad events of a window. */
      readonly errors: string;
      /** Counts all events of a window, and never less than the smallest number that says something. */
      readonly total: string;
    };

/** The placeholder of the window in a query, in the form of sloth's templates. */
export const windowPlaceholder = '{{.window}}';

const minuteMs = 60_000;
/** A label of the bucket that ends at this bound. Prometheus 3 writes `5.0` for `5`. */
const bucketOf = (ms: number): string => `le=~"${ms / 1_000}|${ms / 1_000}[.]0"`;
/** The canary's tasks are judged by its slots. */
const ofUsers = `queue!="${canaryQueue}"`;

const slots = 'holdfast_canary_slots_total';
const waited = 'holdfast_task_wait_duration_seconds';
const lasted = 'holdfast_task_duration_seconds';
const free = 'holdfast_worker_slots{state="free"}';
const present = 'holdfast:canary_present:bool';
const late = 'holdfast:late_starts:rate1m';

/**
 * With fewer events than these in a window, the ratio is computed as if there were so many: one bad task of three in a
 * quiet night must not wake anybody. One bad event of so many burns the budget at 1.
 */
const fewest: Readonly<Record<'start-latency' | 'completion', number>> = {
  'start-latency': 100,
  completion: 1_000,
};

/** The series from which the indicators follow, recorded at every evaluation. */
export function inputs({ text }: Lengths): readonly { readonly record: string; readonly expr: string }[] {
  const minute = text(minuteMs);
  return [
    // 1 while the counts of a canary are there, 0 from when they are gone. Its mean over a window is the part of the window
    // with a canary. It begins with the first canary, so that the time before counts for no window.
    { record: present, expr: `count(${slots}) > bool 0 or ${present} * 0` },
    // Late starts a second. Those of a time in which all slots of all scraped workers are in use are no errors.
    {
      record: late,
      expr: `(
  sum(rate(${waited}_count{${ofUsers}}[${minute}]))
  - sum(rate(${waited}_bucket{${ofUsers},${bucketOf(startWithinMs)}}[${minute}]))
) unless on () (sum(${free}) == 0)
or vector(0)`,
    },
  ];
}

/** Returns the indicator of an objective. */
export function indicatorOf(name: ObjectiveName): Indicator {
  return indicators[name];
}

const waitedIn = `${waited}_count{${ofUsers}}[${windowPlaceholder}]`;

const indicators: Readonly<Record<ObjectiveName, Indicator>> = {
  // The share of good slots, times the part of the window in which the canary's counts were there. Without any count
  // everything is bad.
  'api-availability': {
    ratio: `1 - (
  (
    sum(increase(${slots}{result="good"}[${windowPlaceholder}]))
    / sum(increase(${slots}[${windowPlaceholder}]))
    * avg_over_time(${present}[${windowPlaceholder}])
  ) >= 0
  or vector(0)
)`,
  },
  // The quotient of increase and rate is the length of the window.
  'start-latency': {
    errors: `(
  avg_over_time(${late}[${windowPlaceholder}])
  * sum(increase(${waitedIn})) / sum(rate(${waitedIn}))
) >= 0 or vector(0)`,
    total: totalOf(`${waited}_count`, fewest['start-latency']),
  },
  completion: {
    errors: `(
  sum(increase(${lasted}_count{${ofUsers}}[${windowPlaceholder}]))
  - sum(increase(${lasted}_bucket{${ofUsers},${bucketOf(endWithinMs)}}[${windowPlaceholder}]))
  + (sum(increase(holdfast_task_ended_total{${ofUsers},outcome="dead",reason="deadline"}[${windowPlaceholder}])) or vector(0))
) or vector(0)`,
    total: totalOf(`${lasted}_count`, fewest.completion),
  },
};

function totalOf(counter: string, least: number): string {
  return `clamp_min(sum(increase(${counter}{${ofUsers}}[${windowPlaceholder}])), ${least}) or vector(${least})`;
}

/** An alert about the operation of servers and queues, beside those of the objectives. */
export interface AlertDefinition {
  readonly name: string;
  readonly severity: 'page' | 'ticket';
  expr(lengths: Lengths): string;
  /** How long the condition must hold until the alert fires. */
  readonly forMs: number;
  readonly summary: string;
  readonly description: string;
}

export const operationalAlerts: readonly AlertDefinition[] = [
  {
    name: 'OldestReady',
    severity: 'page',
    expr: ({ seconds }) =>
      `max by (queue) (holdfast_queue_oldest_ready_age_seconds) > ${seconds(5 * minuteMs)}
unless on (queue) min by (queue) (holdfast_queue_paused) == 1`,
    forMs: 5 * minuteMs,
    summary: 'A task of queue {{ $labels.queue }} has been ready for {{ $value | humanizeDuration }}.',
    description: 'Ready tasks of a queue that is not paused have not begun for more than 5 minutes.',
  },
  {
    name: 'Unserved',
    severity: 'ticket',
    expr: () => 'max by (queue, cause) (holdfast_queue_unserved{cause!="paused"}) > 0',
    forMs: 10 * minuteMs,
    summary:
      '{{ $value }} tasks of queue {{ $labels.queue }} cannot be taken by any worker: {{ $labels.cause }}.',
    description:
      'No worker is connected for these tasks, or a dead task holds their lane. They wait until somebody acts.',
  },
  {
    name: 'DeadInflow',
    severity: 'ticket',
    expr: ({ text }) =>
      `sum by (queue) (increase(holdfast_task_ended_total{outcome="dead",${ofUsers}}[${text(15 * minuteMs)}])) > 5`,
    forMs: 0,
    summary: '{{ $value | humanize }} tasks of queue {{ $labels.queue }} died within 15 minutes.',
    description:
      'More than 5 tasks of a queue have died within 15 minutes. Each is kept, and can be redriven.',
  },
  {
    name: 'SweepLag',
    severity: 'page',
    expr: () =>
      'max by (instance, loop) (holdfast_sweep_lag_seconds{loop=~"sweep|expire_leases|release_lanes"}) > 60',
    forMs: 2 * minuteMs,
    summary:
      'The loop {{ $labels.loop }} of {{ $labels.instance }} is {{ $value | humanizeDuration }} behind.',
    description: 'Delayed tasks, retries, expired leases or freed lanes are acted on late.',
  },
  {
    name: 'LeaseExpiries',
    severity: 'ticket',
    expr: ({ text }) =>
      `sum by (queue) (increase(holdfast_lease_expired_total[${text(15 * minuteMs)}])) > 10`,
    forMs: 0,
    summary: '{{ $value | humanize }} leases of queue {{ $labels.queue }} expired within 15 minutes.',
    description: 'Workers end, stand still or are cut off while they hold tasks. The tasks run again.',
  },
  {
    name: 'CertificateExpiry',
    severity: 'ticket',
    expr: () => 'min by (instance, role) (holdfast_certificate_expiry_seconds) < 1209600',
    forMs: 10 * minuteMs,
    summary:
      'The {{ $labels.role }} certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}.',
    description: 'A certificate expires within 14 days. Connections are refused from then on.',
  },
  {
    name: 'StoreSize',
    severity: 'ticket',
    expr: () => `max by (instance) (holdfast_store_size_bytes) > 20e9
or max by (instance) (holdfast_store_wal_size_bytes) > 1e9`,
    forMs: 10 * minuteMs,
    summary: 'The store of {{ $labels.instance }} has {{ $value | humanize1024 }}B.',
    description: 'The file of an embedded store is larger than 20 GB, or its log larger than 1 GB.',
  },
  {
    name: 'NoSeries',
    severity: 'page',
    expr: () => 'absent(holdfast_sweep_lag_seconds{loop="sweep"})',
    forMs: 2 * minuteMs,
    summary: 'No server of Holdfast gives any metrics.',
    description: 'No server runs, or Prometheus cannot read from any. No other alert about servers can fire.',
  },
  {
    name: 'CanaryMissing',
    severity: 'ticket',
    expr: () => `absent(${slots})`,
    forMs: 2 * minuteMs,
    summary: 'No canary gives any counts.',
    description: 'The availability of the API is not measured, and counts as bad until a canary runs.',
  },
];
