import { HoldfastError } from '../../core/errors.ts';
import { burnAlerts, objectives } from '../../core/objectives/objectives.ts';
import { windowText } from '../../core/objectives/window-text.ts';
import { type BackendSettings, shownUrl } from '../backends/settings.ts';
import { instantQuery, type Sample } from './prometheus.ts';

/** The value of the label `sloth_service` of all rules of Holdfast. */
const service = 'holdfast';
const errorRatio = 'slo:sli_error:ratio_rate';
const targetRatio = 'slo:objective:ratio';
const period = '30d';

/** How an objective stands, as the rules in Prometheus have recorded it. */
export interface Standing {
  readonly name: string;
  readonly sentence: string;
  /** The objective as a share, such as 0.999. */
  readonly target: number;
  /** The share of the budget of the period that is used; more than 1 if the objective is missed. */
  readonly used: number | undefined;
  readonly left: number | undefined;
  /**
   * How many times as fast as allowed the budget is used, by window (`5m`, …, `3d`). At 1 it lasts exactly for the period.
   */
  readonly burn: Readonly<Record<string, number>>;
  /** The names of the alerts whose conditions hold now. */
  readonly alerts: readonly string[];
}

/** The one query of the verb: all that the rules record about the objectives. */
export const standingQuery = `{__name__=~"${targetRatio}|${errorRatio}.+",sloth_service="${service}"}`;

/**
 * Reads how each objective stands, in the order of the definition; objectives that only the rules know come last.
 *
 * @throws HoldfastError BAD_CONFIGURATION if Prometheus has no series of the rules.
 */
export async function standingsIn(prometheus: BackendSettings): Promise<readonly Standing[]> {
  const standings = standingsOf(await instantQuery(prometheus, standingQuery));
  if (standings.length > 0) return standings;
  throw new HoldfastError(
    'INVALID_ARGUMENT',
    'BAD_CONFIGURATION',
    `Prometheus at ${shownUrl(prometheus)} has no series of the objectives.`,
    { help: 'Load the files of deploy/observability/rules as its rule_files, and wait for a minute.' },
  );
}

export function standingsOf(samples: readonly Sample[]): readonly Standing[] {
  const byName = Map.groupBy(samples, ({ labels }) => labels.sloth_slo ?? '');
  byName.delete('');
  const known = objectives.map(({ name }): string => name).filter((name) => byName.has(name));
  const others = [...byName.keys()].filter((name) => !known.includes(name)).sort();
  return [...known, ...others].map((name) => standingOf(name, byName.get(name) ?? []));
}

function standingOf(name: string, samples: readonly Sample[]): Standing {
  // Several servers of Prometheus may have recorded the same objective: the worst value counts.
  const most = (record: string): number | undefined => {
    const values = samples.filter(({ labels }) => labels.__name__ === record).map(({ value }) => value);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const definition = objectives.find((one) => one.name === name);
  const target = most(targetRatio) ?? (definition?.targetPpm ?? 0) / 1_000_000;
  const rate = (window: string): number | undefined => {
    const bad = most(`${errorRatio}${window}`);
    return bad === undefined ? undefined : bad / (1 - target);
  };
  const used = rate(period);
  const burn: Record<string, number> = {};
  for (const { labels } of samples) {
    const window = labels.__name__?.startsWith(errorRatio)
      ? labels.__name__.slice(errorRatio.length)
      : period;
    const factor = window === period ? undefined : rate(window);
    if (factor !== undefined) burn[window] = factor;
  }
  const holds = (ms: number, factor: number): boolean => (burn[windowText(ms)] ?? 0) > factor;
  return {
    name,
    sentence: definition?.sentence ?? '',
    target,
    used,
    left: used === undefined ? undefined : 1 - used,
    burn,
    alerts: burnAlerts
      .filter(({ windows }) => windows.some((w) => holds(w.longMs, w.factor) && holds(w.shortMs, w.factor)))
      .map((alert) => alert.name),
  };
}
