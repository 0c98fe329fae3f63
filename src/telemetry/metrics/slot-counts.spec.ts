import { expect, it } from 'vitest';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { prometheusText } from './exposition.ts';
import { Registry } from './registry.ts';
import { SlotCounts } from './slot-counts.ts';

it('the counts of the canary are a text for Prometheus with every result from the start', async () => {
  const registry = new Registry({ clock: virtualClock(), log: silentLog });
  const counts = new SlotCounts(registry);
  counts.count('good', 12);
  counts.count('missed', 3);
  const text = await prometheusText(await registry.collect(), () => Promise.resolve());
  expect(text.split('\n').slice(1)).toEqual([
    '# TYPE holdfast_canary_slots_total counter',
    'holdfast_canary_slots_total{result="good"} 12',
    'holdfast_canary_slots_total{result="unreachable"} 0',
    'holdfast_canary_slots_total{result="refused"} 0',
    'holdfast_canary_slots_total{result="late"} 0',
    'holdfast_canary_slots_total{result="failed"} 0',
    'holdfast_canary_slots_total{result="missed"} 3',
    '',
  ]);
});
