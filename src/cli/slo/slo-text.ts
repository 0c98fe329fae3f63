import { type Downtime, percentText } from '../../core/objectives/budget.ts';
import { formatDuration } from '../../core/rules.ts';
import { table } from '../output.ts';
import type { Standing } from './standing.ts';

/** The windows that the table shows; `--json` has all of them. */
const shownWindows = ['5m', '1h', '6h', '1d', '3d'];

export function standingsText(standings: readonly Standing[]): string {
  const rows = standings.map(({ name, target, used, left, burn, alerts }) => [
    name,
    `${percent(target, 3)} %`,
    used === undefined ? '–' : `${percent(used, 2)} %`,
    left === undefined ? '–' : `${percent(left, 2)} %`,
    ...shownWindows.map((window) => factorText(burn[window])),
    alerts.length === 0 ? '–' : alerts.join(', '),
  ]);
  const windows = shownWindows.map((window) => `BURN ${window.toUpperCase()}`);
  return table(['OBJECTIVE', 'TARGET', 'SPENT', 'LEFT', ...windows, 'ALERTS'], rows);
}

/** Writes a share as per cent with at most this many decimals. */
function percent(share: number, decimals: number): string {
  return String(Number((share * 100).toFixed(decimals)));
}

function factorText(factor: number | undefined): string {
  return factor === undefined ? '–' : `${factor.toFixed(factor < 10 ? 1 : 0)}×`;
}

/** Says in one sentence what an outage costs. */
export function downtimeText({ downtimeMs, badSlots, slots, budgetMs, used }: Downtime): string {
  const { least, most } = badSlots;
  const bad = (least === most ? [least] : [least, most])
    .map((count) => count.toLocaleString('en'))
    .join(' or ');
  const verb = most === 1 ? 'is' : 'are';
  return (
    `${formatDuration(downtimeMs)} down ${verb} ${bad} of ${slots.toLocaleString('en')} slots: ` +
    `${percentText(used)} % of ${budgetMs / 60_000} minutes, the budget of 99.9 % within 30 days.`
  );
}
