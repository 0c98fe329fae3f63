import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { canaryQueue } from '../../core/objectives/objectives.ts';
import type { HoldfastCanary } from '../canary/canary.ts';
import { emfMetric } from '../metrics.ts';
import type { HoldfastServer } from '../server/server.ts';
import { burnAlarms } from './burn-alarms.ts';

/** Properties of `HoldfastAlarms`. */
export interface HoldfastAlarmsProps {
  readonly server: HoldfastServer;
  /** Default: no canary, and neither its alarm nor the burn of the API's availability. */
  readonly canary?: HoldfastCanary;
  /** Gets the alarms that wake somebody. */
  readonly pageTopic?: sns.ITopic;
  /** Gets the alarms that wait until the morning. */
  readonly ticketTopic?: sns.ITopic;
  /** Where the runbooks are, for the descriptions. Default: the path in the package, `docs/runbooks`. */
  readonly runbooksUrl?: string;
}

interface AlarmShape {
  readonly severity: 'page' | 'ticket';
  readonly runbook: string;
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly operator?: cloudwatch.ComparisonOperator;
  readonly minutes: number;
  readonly missing?: cloudwatch.TreatMissingData;
}

const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;
const { LESS_THAN_THRESHOLD, GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
const fifteenMinutes = { period: Duration.minutes(15) };

/**
 * The alarms of docs/runbooks in CloudWatch, with the limits of the rules for Prometheus. That of the file of an embedded store
 * has no counterpart here.
 */
export class HoldfastAlarms extends Construct {
  readonly alarms: cloudwatch.AlarmBase[] = [];
  readonly #props: HoldfastAlarmsProps;

  constructor(scope: Construct, id: string, props: HoldfastAlarmsProps) {
    super(scope, id);
    this.#props = props;
    const { server, canary } = props;
    const namespace = server.store.metricsNamespace;
    const page = { severity: 'page' } as const;
    const ticket = { severity: 'ticket' } as const;
    const queues = server.store.queues.map(({ name }) => name);
    for (const queue of new Set(queues)) {
      const metric = (name: 'oldestReadyAge' | 'unserved' | 'leasesExpired') =>
        emfMetric(namespace, name, { queue });
      this.#add(`OldestReady-${queue}`, {
        ...{ ...page, runbook: 'oldest-ready', metric: metric('oldestReadyAge'), threshold: 300, minutes: 5 },
      });
      this.#add(`Unserved-${queue}`, {
        ...{ ...ticket, runbook: 'unserved', metric: metric('unserved'), threshold: 0, minutes: 10 },
      });
      this.#add(`LeaseExpiries-${queue}`, {
        ...{ ...ticket, runbook: 'lease-expiries', threshold: 10, minutes: 1 },
        metric: emfMetric(namespace, 'leasesExpired', { queue, ...fifteenMinutes }),
      });
      if (queue === canaryQueue) continue;
      this.#add(`DeadInflow-${queue}`, {
        ...{ ...ticket, runbook: 'dead-inflow', threshold: 5, minutes: 1 },
        metric: emfMetric(namespace, 'tasksDead', { queue, ...fifteenMinutes }),
      });
    }
    const sweepLag = emfMetric(namespace, 'sweepLag');
    this.#add('SweepLag', { ...page, runbook: 'sweep-lag', metric: sweepLag, threshold: 60, minutes: 2 });
    this.#add('NoSeries', {
      ...{ ...page, runbook: 'no-series', threshold: 0, minutes: 3, missing: BREACHING },
      ...{ metric: sweepLag, operator: LESS_THAN_THRESHOLD },
    });
    this.#add('CertificateExpiry', {
      ...{ ...ticket, runbook: 'certificate-expiry', metric: emfMetric(namespace, 'certificateExpiry') },
      ...{ threshold: 14 * 86_400, operator: LESS_THAN_THRESHOLD, minutes: 10 },
    });
    if (canary !== undefined) {
      this.#add('CanaryMissing', {
        ...{ ...ticket, runbook: 'canary-missing', metric: canary.metricGoodSlots(), threshold: 0 },
        ...{ operator: LESS_THAN_THRESHOLD, minutes: 3, missing: BREACHING },
      });
    }
    for (const { alarm, severity } of burnAlarms(this, namespace, canary !== undefined, (name) =>
      this.#text(name),
    ))
      this.#notify(alarm, severity);
  }

  #add(id: string, { severity, runbook, metric, threshold, operator, minutes, missing }: AlarmShape): void {
    const alarm = new cloudwatch.Alarm(this, id, {
      ...{ metric, threshold, evaluationPeriods: minutes, datapointsToAlarm: minutes },
      comparisonOperator: operator ?? GREATER_THAN_THRESHOLD,
      treatMissingData: missing ?? NOT_BREACHING,
      alarmDescription: this.#text(runbook),
    });
    this.#notify(alarm, severity);
  }

  #text(runbook: string): string {
    return `${this.#props.runbooksUrl ?? 'docs/runbooks'}/${runbook}.md`;
  }

  #notify(alarm: cloudwatch.AlarmBase, severity: 'page' | 'ticket'): void {
    this.alarms.push(alarm);
    const topic = severity === 'page' ? this.#props.pageTopic : this.#props.ticketTopic;
    if (topic !== undefined) alarm.addAlarmAction(new SnsAction(topic));
  }
}
