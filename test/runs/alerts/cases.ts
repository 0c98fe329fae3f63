/**
 * The cases of promtool for every alert: series that make it fire, that do not, that end it, and no series at all.
 */

/**
 * A part of a series: so many minutes with this rise a minute of a counter, or at this value of a gauge. With NaN there are
 * no samples.
 */
export type Part = readonly [minutes: number, perMinute: number];

export interface AlertCase {
  readonly alert: string;
  /** A sentence about the case. */
  readonly title: string;
  /** Further labels of the alert that is meant, as in PromQL. */
  readonly labels?: string;
  /** The counters, each by its series, as rises a minute. */
  readonly counters?: Readonly<Record<string, readonly Part[]>>;
  /** The gauges, each by its series, as values. */
  readonly gauges?: Readonly<Record<string, readonly Part[]>>;
  /** Whether the alert fires at these minutes. */
  readonly fires: readonly (readonly [minute: number, isFiring: boolean])[];
}

const slots = (result: string): string => `holdfast_canary_slots_total{result="${result}"}`;
const ofApi = 'sloth_slo="api-availability"';
const day = 1_440;

/** An outage of the API of some minutes, after so many good ones. */
function outage(goodMinutes: number, badMinutes: number, afterMinutes: number) {
  return {
    [slots('good')]: [
      [goodMinutes, 6],
      [badMinutes, 0],
      [afterMinutes, 6],
    ],
    [slots('unreachable')]: [
      [goodMinutes, 0],
      [badMinutes, 6],
      [afterMinutes, 0],
    ],
  } as const;
}

const waits = 'holdfast_task_wait_duration_seconds';
const ends = 'holdfast_task_duration_seconds';

/** Tasks by a histogram of one bound: of `perMinute` a minute, `badPerMinute` are above it for some minutes. */
function histogram(
  name: string,
  bound: string,
  perMinute: number,
  badPerMinute: number,
  minutes: readonly number[],
) {
  const [before = 0, bad = 0, after = 0] = minutes;
  const labels = 'queue="mail",type="send"';
  return {
    [`${name}_count{${labels}}`]: [[before + bad + after, perMinute]],
    [`${name}_bucket{${labels},le="${bound}"}`]: [
      [before, perMinute],
      [bad, perMinute - badPerMinute],
      [after, perMinute],
    ],
  } as const;
}

const objectiveCases: readonly AlertCase[] = [
  {
    alert: 'FastBudgetBurn',
    title: 'an outage of 10 minutes fires within minutes, and resolves when half an hour is good',
    labels: ofApi,
    counters: outage(70, 10, 60),
    fires: [
      [65, false],
      [80, true],
      [120, false],
    ],
  },
  {
    alert: 'FastBudgetBurn',
    title: 'one bad slot of an hour does not fire',
    labels: ofApi,
    counters: { [slots('good')]: [[130, 6]], [slots('late')]: [[130, 1 / 60]] },
    fires: [
      [60, false],
      [125, false],
    ],
  },
  {
    alert: 'FastBudgetBurn',
    title:
      'a canary that is gone fires although nothing says that a slot was bad, and resolves when it is back',
    labels: ofApi,
    counters: {
      [slots('good')]: [
        [70, 6],
        [10, Number.NaN],
        [60, 6],
      ],
    },
    fires: [
      [65, false],
      [80, true],
      [125, false],
    ],
  },
  {
    alert: 'FastBudgetBurn',
    title: 'late starts of every second task fire and resolve',
    labels: 'sloth_slo="start-latency"',
    counters: histogram(waits, '5', 120, 60, [70, 20, 60]),
    fires: [
      [65, false],
      [90, true],
      [130, false],
    ],
  },
  {
    alert: 'FastBudgetBurn',
    title: 'late starts do not fire while no worker has room',
    labels: 'sloth_slo="start-latency"',
    counters: histogram(waits, '5', 120, 60, [70, 20, 60]),
    gauges: { 'holdfast_worker_slots{state="free"}': [[150, 0]] },
    fires: [[90, false]],
  },
  {
    alert: 'FastBudgetBurn',
    title: 'three late starts of a quiet night do not fire',
    labels: 'sloth_slo="start-latency"',
    counters: histogram(waits, '5', 0.05, 0.05, [70, 60, 10]),
    fires: [[130, false]],
  },
  {
    alert: 'FastBudgetBurn',
    title: 'tasks that take more than an hour fire and resolve',
    labels: 'sloth_slo="completion"',
    counters: histogram(ends, '3600', 120, 12, [70, 20, 60]),
    fires: [
      [65, false],
      [90, true],
      [145, false],
    ],
  },
  {
    alert: 'SlowBudgetBurn',
    title: 'an outage of 5 minutes fires for hours, and resolves when 6 hours are good',
    labels: ofApi,
    counters: outage(120, 5, 10 * 60),
    fires: [
      [115, false],
      [130, true],
      [240, true],
      [510, false],
    ],
  },
  {
    alert: 'SlowBudgetBurn',
    title: 'an outage of one minute in three days does not fire',
    labels: ofApi,
    counters: outage(3 * day + 120, 1, 60),
    fires: [[3 * day + 150, false]],
  },
];

/** An alert about a gauge that has a good value, then a bad one, then the good one again. */
function gaugeCase(alert: string, title: string, series: string, good: number, bad: number): AlertCase {
  return {
    alert,
    title,
    gauges: {
      [series]: [
        [20, good],
        [20, bad],
        [20, good],
      ],
    },
    fires: [
      [15, false],
      [35, true],
      [50, false],
    ],
  };
}

/** An alert about a counter that rises slowly, then fast, then slowly again. */
function counterCase(alert: string, title: string, series: string, good: number, bad: number): AlertCase {
  return {
    alert,
    title,
    counters: {
      [series]: [
        [30, good],
        [20, bad],
        [40, good],
      ],
    },
    fires: [
      [25, false],
      [50, true],
      [80, false],
    ],
  };
}

const age = 'holdfast_queue_oldest_ready_age_seconds{queue="mail"}';
const dead = 'holdfast_task_ended_total{outcome="dead",reason="attempts"';

const operationalCases: readonly AlertCase[] = [
  gaugeCase(
    'OldestReady',
    'a task that is ready for 10 minutes fires, and resolves when it begins',
    age,
    3,
    600,
  ),
  {
    alert: 'OldestReady',
    title: 'a task of a paused queue does not fire',
    gauges: { [age]: [[60, 900]], 'holdfast_queue_paused{queue="mail"}': [[60, 1]] },
    fires: [[40, false]],
  },
  {
    alert: 'OldestReady',
    title: 'a task fires although a queue of the same name is paused, which another tenant has',
    gauges: {
      [age]: [[60, 900]],
      'holdfast_queue_paused{queue="mail"}': [[60, 0]],
      'holdfast_queue_paused{queue="mail",tenant="acme"}': [[60, 1]],
    },
    fires: [[40, true]],
  },
  gaugeCase(
    'Unserved',
    'tasks that no worker handles fire, and resolve when one does',
    'holdfast_queue_unserved{queue="mail",cause="no_type"}',
    0,
    842,
  ),
  {
    alert: 'Unserved',
    title: 'tasks of a paused queue do not fire',
    gauges: { 'holdfast_queue_unserved{queue="mail",cause="paused"}': [[60, 20]] },
    fires: [[40, false]],
  },
  counterCase(
    'DeadInflow',
    'more than 5 dead tasks within 15 minutes fire, and resolve 15 minutes later',
    `${dead},queue="mail",type="send"}`,
    0,
    2,
  ),
  {
    alert: 'DeadInflow',
    title: 'dead tasks of the canary do not fire',
    counters: { [`${dead},queue="holdfast-canary",type="holdfast-canary"}`]: [[60, 2]] },
    fires: [[40, false]],
  },
  gaugeCase(
    'SweepLag',
    'a sweep that is 5 minutes behind fires, and resolves when it has caught up',
    'holdfast_sweep_lag_seconds{loop="sweep",instance="a"}',
    1,
    300,
  ),
  counterCase(
    'LeaseExpiries',
    'more than 10 expired leases within 15 minutes fire, and resolve 15 minutes later',
    'holdfast_lease_expired_total{queue="mail"}',
    0.1,
    5,
  ),
  gaugeCase(
    'CertificateExpiry',
    'a certificate with a week left fires, and resolves when it is replaced',
    'holdfast_certificate_expiry_seconds{role="server",instance="a"}',
    30 * 86_400,
    7 * 86_400,
  ),
  gaugeCase(
    'StoreSize',
    'a store of 30 GB fires, and resolves when it is smaller',
    'holdfast_store_size_bytes{instance="a"}',
    1e9,
    30e9,
  ),
  gaugeCase(
    'StoreSize',
    'a log of 2 GB fires, and resolves when it is smaller',
    'holdfast_store_wal_size_bytes{instance="a"}',
    1e6,
    2e9,
  ),
  gaugeCase(
    'NoSeries',
    'servers whose metrics are gone fire, and resolve when they are back',
    'holdfast_sweep_lag_seconds{loop="sweep",instance="a"}',
    1,
    Number.NaN,
  ),
  gaugeCase(
    'CanaryMissing',
    'a canary whose counts are gone fires, and resolves when they are back',
    slots('good'),
    1,
    Number.NaN,
  ),
];

/** The alerts that fire without any series, so that missing data is never taken for health. */
export const firesWithoutSeries: readonly string[] = [
  'FastBudgetBurn',
  'SlowBudgetBurn',
  'NoSeries',
  'CanaryMissing',
];

export const alertCases: readonly AlertCase[] = [
  ...objectiveCases,
  ...operationalCases,
  ...firesWithoutSeries.map((alert) => ({
    alert,
    title: 'no series at all fires',
    fires: [[20, true]] as const,
  })),
];
