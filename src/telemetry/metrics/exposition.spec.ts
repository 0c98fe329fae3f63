import { describe, expect, it } from 'vitest';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { prometheusText } from './exposition.ts';
import { Registry } from './registry.ts';

async function textOf(fill: (registry: Registry) => void): Promise<string[]> {
  const registry = new Registry({ clock: virtualClock(), log: silentLog });
  fill(registry);
  return (await prometheusText(await registry.collect()))
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('# HELP'));
}

describe('the text for Prometheus', () => {
  it('has the sum of a histogram, its count, and the number of values up to each bound', async () => {
    const lines = await textOf((registry) => {
      const histogram = registry.histogram('holdfast.heartbeat.lateness', {});
      for (const seconds of [0, 0.1, 0.4, 25, 40]) histogram.record(seconds);
    });
    expect(lines).toEqual([
      '# TYPE holdfast_heartbeat_lateness_seconds histogram',
      ...[2, 3, 3, 3, 3, 3, 3, 3, 4].map((count, i) => {
        const bound = [0.1, 0.5, 1, 2.5, 5, 10, 15, 20, 30][i];
        return `holdfast_heartbeat_lateness_seconds_bucket{le="${bound}"} ${count}`;
      }),
      'holdfast_heartbeat_lateness_seconds_bucket{le="+Inf"} 5',
      'holdfast_heartbeat_lateness_seconds_sum 65.5',
      'holdfast_heartbeat_lateness_seconds_count 5',
    ]);
  });

  it('escapes the values of labels, so that no name makes a line of its own', async () => {
    const lines = await textOf((registry) =>
      registry.counter('holdfast.lease.expired', { queue: 'a"} 1\nevil{x="\\' }).add(1),
    );
    expect(lines.at(-1)).toBe('holdfast_lease_expired_total{queue="a\\"} 1\\nevil{x=\\"\\\\"} 1');
    expect(lines).toHaveLength(2);
  });

  it('counts a value that a closed set does not have as _other', async () => {
    const lines = await textOf((registry) =>
      registry.counter('holdfast.submissions.refused', { why: 'a secret message' }).add(1),
    );
    expect(lines.at(-1)).toBe('holdfast_submissions_refused_total{why="_other"} 1');
  });

  it('gives one metric at most 2,000 series, and counts all further values under _other', async () => {
    const lines = await textOf((registry) => {
      for (let i = 0; i < 60; i++)
        for (let k = 0; k < 60; k++)
          registry
            .counter('holdfast.task.submissions', { queue: `q${i}`, type: `t${k}`, result: 'accepted' })
            .add(1);
    });
    expect(lines).toHaveLength(2_002);
    expect(lines.at(-1)).toBe(
      'holdfast_task_submissions_total{queue="_other",type="_other",result="accepted"} 1600',
    );
  });
});

describe('a large text', () => {
  it('is written in pieces, between which other work has its turn', async () => {
    const registry = new Registry({ clock: virtualClock(), log: silentLog });
    for (let i = 0; i < 30; i++)
      for (let k = 0; k < 30; k++)
        registry
          .counter('holdfast.task.submissions', { queue: `q${i}`, type: `t${k}`, result: 'accepted' })
          .add(1);
    let pauses = 0;
    const text = await prometheusText(await registry.collect(), async () => void pauses++);
    expect([pauses, text.split('\n').length]).toEqual([4, 903]);
  });
});

describe('a source of gauges', () => {
  it('is read at most once in its interval, and shows nothing once it has failed for three minutes', async () => {
    const clock = virtualClock();
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: unknown, message: string) => void warnings.push(message) };
    const registry = new Registry({ clock, log });
    let reads = 0;
    registry.addSource({
      name: 'sizes',
      everyMs: 10_000,
      read(gauges) {
        reads++;
        if (reads > 1) throw new Error('no disk');
        gauges.set('holdfast.store.size', {}, 7);
      },
    });
    const shown = async () => (await registry.collect()).map(({ readings }) => readings[0]?.value);
    expect([await shown(), await shown(), reads]).toEqual([[7], [7], 1]);
    await clock.advance(10_000);
    expect([await shown(), reads]).toEqual([[7], 2]);
    for (let i = 0; i < 18; i++) {
      await clock.advance(10_000);
      await shown();
    }
    expect(await shown()).toEqual([]);
    expect(warnings).toHaveLength(4);
  });

  it('that does not answer holds a collection up for 5 s, and is not read a second time meanwhile', async () => {
    const clock = virtualClock();
    const registry = new Registry({ clock, log: silentLog });
    let reads = 0;
    registry.addSource({
      name: 'hangs',
      everyMs: 0,
      read() {
        reads++;
        return new Promise(() => {});
      },
    });
    registry.counter('holdfast.sweep.dispatched', {}).add(1);
    for (let i = 0; i < 2; i++) {
      const collected = registry.collect();
      await clock.advance(5_000);
      expect((await collected).map(({ name }) => name)).toEqual(['holdfast.sweep.dispatched']);
    }
    expect(reads).toBe(1);
  });
});
