import { HoldfastError } from '../../core/errors.ts';
import type { BackendSettings } from '../backends/settings.ts';
import { instantQuery } from '../slo/prometheus.ts';
import { standingsIn } from '../slo/standing.ts';
import type { Deployable, Deployments } from './port.ts';

/** One look at the service after a rollout. `ok` is undefined if nothing could be read. */
export interface Check {
  readonly name: 'health' | 'canary' | 'burn';
  readonly ok: boolean | undefined;
  readonly sentence: string;
}

const canaryWindow = '5m';
export const canaryQuery = `sum by (result) (increase(holdfast_canary_slots_total[${canaryWindow}]))`;

/**
 * Looks at the health of the tasks, at the canary and at how fast the objectives burn: by Prometheus if one is named,
 * otherwise by the alarms that the stack has in CloudWatch.
 */
export async function check(
  deployments: Deployments,
  service: Deployable,
  prometheus: BackendSettings | undefined,
): Promise<readonly Check[]> {
  const health = await guarded('health', () => healthOf(deployments, service));
  if (prometheus === undefined) return [health, ...(await byAlarms(deployments, service))];
  return [
    health,
    await guarded('canary', () => canaryIn(prometheus)),
    await guarded('burn', () => burnIn(prometheus)),
  ];
}

async function guarded(name: Check['name'], look: () => Promise<Check>): Promise<Check> {
  try {
    return await look();
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown;
    return { name, ok: undefined, sentence: `not read: ${thrown.message}` };
  }
}

async function healthOf(deployments: Deployments, service: Deployable): Promise<Check> {
  const { running, unhealthy } = await deployments.tasks(service);
  if (running === 0) return { name: 'health', ok: undefined, sentence: 'no task runs' };
  return {
    name: 'health',
    ok: unhealthy === 0,
    sentence: `${running} tasks run, ${unhealthy} of them unhealthy`,
  };
}

async function canaryIn(prometheus: BackendSettings): Promise<Check> {
  const samples = await instantQuery(prometheus, canaryQuery);
  const sumOf = (isCounted: (result: string) => boolean): number =>
    samples.filter(({ labels }) => isCounted(labels.result ?? '')).reduce((sum, { value }) => sum + value, 0);
  const good = Math.round(sumOf((result) => result === 'good'));
  const bad = Math.round(sumOf((result) => result !== 'good'));
  if (good + bad === 0) return { name: 'canary', ok: undefined, sentence: `no slot within ${canaryWindow}` };
  const sentence = `${good} good and ${bad} bad slots within ${canaryWindow}`;
  return { name: 'canary', ok: bad === 0, sentence };
}

async function burnIn(prometheus: BackendSettings): Promise<Check> {
  const standings = await standingsIn(prometheus);
  const rates = standings.map(
    ({ name, burn }) => `${name} ${burn['5m'] === undefined ? '–' : `${burn['5m'].toFixed(1)}×`}`,
  );
  const alerts = standings.flatMap(({ name, alerts: firing }) => firing.map((one) => `${one} of ${name}`));
  const ok = alerts.length === 0 && standings.every(({ burn }) => (burn['5m'] ?? 0) <= 1);
  const sentence = `burn within 5m: ${rates.join(', ')}${alerts.length === 0 ? '' : `; ${alerts.join(', ')}`}`;
  return { name: 'burn', ok, sentence };
}

/** The names of the canary's alarms: no slots, the objective that it measures, and its queue. All others are listed as `burn`. */
const canaryAlarm = /CanaryMissing|api-?availability|holdfast-?canary/i;

async function byAlarms(deployments: Deployments, { alarmPrefix }: Deployable): Promise<readonly Check[]> {
  const unread = (sentence: string): Check[] => [
    { name: 'canary', ok: undefined, sentence },
    { name: 'burn', ok: undefined, sentence },
  ];
  if (alarmPrefix === undefined) return unread('not read: no Prometheus and no alarms are known');
  try {
    const firing = await deployments.firingAlarms(alarmPrefix);
    const rowOf = (name: Check['name'], alarms: readonly string[]): Check => ({
      ...{ name, ok: alarms.length === 0 },
      sentence: alarms.length === 0 ? 'no alarm of CloudWatch fires' : `alarms fire: ${alarms.join(', ')}`,
    });
    return [
      rowOf(
        'canary',
        firing.filter((name) => canaryAlarm.test(name)),
      ),
      rowOf(
        'burn',
        firing.filter((name) => !canaryAlarm.test(name)),
      ),
    ];
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown;
    return unread(`not read: ${thrown.message}`);
  }
}
