import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { downtimeOf, percentText, shareNumber } from '../../core/objectives/budget.ts';
import { objectiveOf, periodMs, slotMs } from '../../core/objectives/objectives.ts';
import { shownUrl } from '../backends/settings.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { parseDuration } from '../text/durations.ts';
import { prometheusOf } from './prometheus.ts';
import { downtimeText, standingsText } from './slo-text.ts';
import { standingsIn } from './standing.ts';

const availability = objectiveOf('api-availability');

function parseDowntime(text: string): number {
  const ms = parseDuration(text);
  if (ms <= periodMs) return ms;
  throw new InvalidArgumentError('Write at most 30d, the period of the objectives.');
}

export function addSlo(program: Command, globals: Globals): void {
  program
    .command('slo')
    .description(
      'say how the objectives stand, from Prometheus: the budget spent and left, and how fast it burns; with --downtime, what an outage costs',
    )
    .option('--prometheus <url>', 'the URL of Prometheus; default: HOLDFAST_PROMETHEUS_URL')
    .option(
      '--downtime <length>',
      'the share of the budget that an outage of the API of this length uses; asks no Prometheus',
      parseDowntime,
    )
    .action(async ({ prometheus: url, downtime }) => {
      const { output } = globals();
      if (downtime !== undefined) {
        if (url !== undefined) {
          throw usage('--downtime is computed without Prometheus.', 'Leave --prometheus or --downtime out.');
        }
        const cost = downtimeOf(availability, downtime);
        const { downtimeMs, badSlots, slots, budgetMs, used } = cost;
        const json = {
          ...{ objective: availability.name, target: availability.targetPpm / 1_000_000, periodMs, slotMs },
          ...{ downtimeMs, badSlots, slots, budgetMs },
          used: shareNumber(used),
          usedPercent: percentText(used),
        };
        output.result(json, () => downtimeText(cost));
        return;
      }
      const prometheus = prometheusOf(process.env, url);
      if (prometheus === undefined) {
        throw usage(
          'No Prometheus is named.',
          'Set HOLDFAST_PROMETHEUS_URL or give --prometheus http://host:9090. An outage is computed without one: --downtime 2m.',
        );
      }
      const standings = await standingsIn(prometheus);
      const json = { prometheus: shownUrl(prometheus), periodMs, objectives: standings };
      output.result(json, () => standingsText(standings));
    });
}
