import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noOptions } from '../../src/core/codec/options.ts';
import type { Assignment } from '../../src/core/messages.ts';
import { type CountedNode, countedNode, target, task } from './counted-node.ts';

let node: CountedNode;
beforeEach(async () => {
  node = await countedNode();
});
afterEach(() => node.close());

const once = { ...noOptions, retry: { maxAttempts: 1 } };

async function claimOne(): Promise<Assignment> {
  const [claimed] = await node.claim();
  if (claimed === undefined) throw new Error('nothing was claimed');
  return claimed;
}

describe('a node with metrics', () => {
  it('counts submissions by their results', async () => {
    await node.submit([task('a'), task('b')]);
    await node.submit([task('a'), task('b', 'other')]);
    const late = node.node.service.submit(target, [task('c')], { notAfterMs: node.clock.monotonic() - 1 });
    await expect(late).rejects.toThrow('deadline');
    expect(await node.lines('holdfast_task_submissions_total')).toEqual([
      'holdfast_task_submissions_total{queue="mail",type="note",result="accepted"} 2',
      'holdfast_task_submissions_total{queue="mail",type="note",result="deduplicated"} 1',
      'holdfast_task_submissions_total{queue="mail",type="other",result="conflict"} 1',
      'holdfast_task_submissions_total{queue="mail",type="note",result="refused"} 1',
    ]);
    expect(await node.lines('holdfast_submissions_refused_total')).toEqual([
      'holdfast_submissions_refused_total{why="timed_out"} 1',
    ]);
  });

  it('counts the submissions that the store refuses one by one, with their reason', async () => {
    node.refuseNextAccept();
    await node.submit([task('a'), task('b')]);
    expect(await node.lines('holdfast_submissions_refused_total')).toEqual([
      'holdfast_submissions_refused_total{why="store_full"} 2',
    ]);
  });

  it('counts each attempt by the way in which it ended, and each task once', async () => {
    await node.submit([task('a')]);
    await node.settle(await claimOne(), 'failed');
    await node.clock.advance(5_000);
    await node.settle(await claimOne(), 'released', { begun: false });
    await node.settle(await claimOne(), 'released');
    await node.settle(await claimOne(), 'succeeded');
    await node.submit([task('b'), task('c'), task('d')].map((one) => ({ ...one, options: once })));
    for (const claimed of await node.claim())
      await node.settle(claimed, claimed.key === 'b' ? 'fatal' : 'failed');
    const outcomes = ['failed', 'recalled', 'released', 'succeeded', 'fatal'];
    expect(await node.lines('holdfast_attempt_ended_total')).toEqual(
      outcomes.map((outcome) => {
        const count = outcome === 'failed' ? 3 : 1;
        return `holdfast_attempt_ended_total{queue="mail",type="note",outcome="${outcome}"} ${count}`;
      }),
    );
    expect(await node.lines('holdfast_task_ended_total')).toEqual([
      'holdfast_task_ended_total{queue="mail",type="note",outcome="dead",reason="attempts"} 2',
      'holdfast_task_ended_total{queue="mail",type="note",outcome="dead",reason="fatal"} 1',
      'holdfast_task_ended_total{queue="mail",type="note",outcome="succeeded"} 1',
    ]);
  });

  it('counts an expired lease as a lost worker if the handler ran, and the refused outcome of the late worker', async () => {
    await node.submit([task('a')]);
    const late = await claimOne();
    await node.clock.advance(40_000);
    const again = await claimOne();
    await node.settle(late, 'succeeded');
    await node.settle(again, 'succeeded');
    expect(await node.lines('holdfast_lease_expired_total')).toEqual([
      'holdfast_lease_expired_total{queue="mail"} 1',
    ]);
    expect(await node.lines('holdfast_attempt_ended_total')).toEqual([
      'holdfast_attempt_ended_total{queue="mail",type="note",outcome="worker_lost"} 1',
      'holdfast_attempt_ended_total{queue="mail",type="note",outcome="succeeded"} 1',
    ]);
    expect(await node.lines('holdfast_settlement_refused_total')).toEqual([
      'holdfast_settlement_refused_total{queue="mail",cause="lease_lost"} 1',
    ]);
  });

  it('measures the wait from when a task was ready, also after a retry, and leaves lanes out', async () => {
    await node.submit([task('a', 'note', { options: { ...noOptions, delayMs: 60_000 } })]);
    await node.submit([task('b', 'lane', {}, 'lane')]);
    await node.clock.advance(67_000);
    await node.settle(await claimOne(), 'failed');
    await node.clock.advance(9_000);
    await claimOne();
    await node.claim('mail', ['lane']);
    const [sum, count] = await Promise.all(
      ['sum', 'count'].map((part) => node.lines(`holdfast_task_wait_duration_seconds_${part}`)),
    );
    expect(count).toEqual([
      'holdfast_task_wait_duration_seconds_count{queue="mail",type="note",priority="normal"} 2',
    ]);
    const waited = Number(sum?.[0]?.split(' ').at(-1));
    // The first retry waits for 0 to 1 s, so the second claim waited for 8 to 9 s.
    expect(waited).toBeGreaterThanOrEqual(15);
    expect(waited).toBeLessThanOrEqual(16);
  });

  it('measures a task from its run time and an attempt from its claim', async () => {
    await node.submit([task('a')]);
    await node.clock.advance(2_000);
    const claimed = await claimOne();
    await node.clock.advance(3_000);
    await node.settle(claimed, 'succeeded');
    expect(await node.lines('holdfast_task_duration_seconds_sum')).toEqual([
      'holdfast_task_duration_seconds_sum{queue="mail",type="note",outcome="succeeded"} 5',
    ]);
    expect(await node.lines('holdfast_attempt_duration_seconds_sum')).toEqual([
      'holdfast_attempt_duration_seconds_sum{queue="mail",type="note",outcome="succeeded"} 3',
    ]);
  });

  it('shows the depth of queues, the age of the oldest ready task, and the tasks that no worker takes', async () => {
    await node.submit([task('a'), task('b', 'pdf'), task('c', 'pdf')]);
    await node.clock.advance(30_000);
    expect(await node.lines('holdfast_queue_tasks{queue="mail",state="ready"}')).toEqual([
      'holdfast_queue_tasks{queue="mail",state="ready"} 3',
    ]);
    expect(await node.lines('holdfast_queue_oldest_ready_age_seconds')).toEqual([
      'holdfast_queue_oldest_ready_age_seconds{queue="mail"} 30',
    ]);
    const unserved = async (cause: string) => {
      const [line] = await node.lines(`holdfast_queue_unserved{queue="mail",cause="${cause}"}`);
      return Number(line?.split(' ').at(-1));
    };
    expect(await unserved('no_worker')).toBe(3);
    await node.settle(await claimOne(), 'succeeded');
    await node.clock.advance(10_000);
    expect(await Promise.all(['no_worker', 'no_type'].map(unserved))).toEqual([0, 2]);
    await node.node.service.updateQueue(target, { paused: true, onDead: undefined }, 'ann');
    await node.clock.advance(10_000);
    expect(await Promise.all(['no_type', 'paused'].map(unserved))).toEqual([0, 2]);
    expect(await node.lines('holdfast_queue_paused{')).toEqual(['holdfast_queue_paused{queue="mail"} 1']);
  });

  it('counts the tasks behind a dead task that holds its lane', async () => {
    await node.submit([task('x')]);
    await node.node.service.updateQueue(target, { paused: undefined, onDead: 'hold' }, 'ann');
    await node.submit([task('a', 'note', { options: once }, 'lane'), task('b', 'note', {}, 'lane')]);
    for (const claimed of await node.claim()) await node.settle(claimed, 'fatal');
    await node.clock.advance(10_000);
    expect(await node.lines('holdfast_queue_unserved{queue="mail",cause="lane_held"}')).toEqual([
      'holdfast_queue_unserved{queue="mail",cause="lane_held"} 1',
    ]);
  });

  it('shows how long a background loop has ended no round, and how late the sweep is', async () => {
    await node.clock.advance(5_000);
    const lag = async () => {
      const [line] = await node.lines('holdfast_sweep_lag_seconds{loop="sweep"}');
      return Number(line?.split(' ').at(-1));
    };
    expect(await lag()).toBeLessThanOrEqual(2);
    await node.submit([task('a', 'note', { options: { ...noOptions, delayMs: 1_000 } })]);
    await node.clock.advance(3_000);
    expect(await lag()).toBeLessThanOrEqual(3);
    expect(await node.lines('holdfast_sweep_dispatched_total ')).toEqual([
      'holdfast_sweep_dispatched_total 1',
    ]);
  });
});

describe('a flood of names', () => {
  it('of queues and types from one caller makes no more than 200 series, and the rest count as _other', async () => {
    for (let i = 0; i < 30; i++) {
      const items = Array.from({ length: 10 }, (_, k) => task(`${i}/${k}`, `type-${i}-${k}`));
      await node.submit(items, `queue-${i}`);
    }
    const accepted = await node.lines('holdfast_task_submissions_total');
    expect(accepted).toHaveLength(210);
    expect(accepted).toContain(
      'holdfast_task_submissions_total{queue="queue-29",type="_other",result="accepted"} 10',
    );
  });

  it('of queues does not take the place of a queue that was shown before', async () => {
    await node.submit([task('a')]);
    await node.lines('holdfast_queue_oldest_ready_age_seconds');
    for (let i = 0; i < 210; i++) await node.submit([task('a')], `a-${i}`);
    await node.clock.advance(30_000);
    const ages = await node.lines('holdfast_queue_oldest_ready_age_seconds');
    expect(ages).toContain('holdfast_queue_oldest_ready_age_seconds{queue="mail"} 30');
  });
});

describe('queues of one name', () => {
  it('of which one is paused have the age of the other one, and are not paused', async () => {
    await node.submit([task('a')]);
    await node.clock.advance(20_000);
    const acme = { ...target, tenant: 'acme' };
    await node.node.service.submit(acme, [task('a')], { notAfterMs: undefined });
    await node.node.service.updateQueue(target, { paused: true, onDead: undefined }, 'ann');
    await node.clock.advance(10_000);
    expect(await node.lines('holdfast_queue_paused')).toEqual(['holdfast_queue_paused{queue="mail"} 0']);
    expect(await node.lines('holdfast_queue_oldest_ready_age_seconds')).toEqual([
      'holdfast_queue_oldest_ready_age_seconds{queue="mail"} 10',
    ]);
    await node.node.service.updateQueue(acme, { paused: true, onDead: undefined }, 'ann');
    await node.clock.advance(10_000);
    expect(await node.lines('holdfast_queue_paused')).toEqual(['holdfast_queue_paused{queue="mail"} 1']);
    expect(await node.lines('holdfast_queue_oldest_ready_age_seconds')).toEqual([
      'holdfast_queue_oldest_ready_age_seconds{queue="mail"} 40',
    ]);
  });
});

describe('the name of a tenant', () => {
  it('is a label only if the tenant is in the list of those that are shown', async () => {
    const named = await countedNode(['acme']);
    for (const tenant of ['acme', 'other'])
      await named.node.service.submit({ tenant, queue: 'mail' }, [task('a')], { notAfterMs: undefined });
    expect(await named.lines('holdfast_task_submissions_total')).toEqual([
      'holdfast_task_submissions_total{queue="mail",type="note",result="accepted",tenant="acme"} 1',
      'holdfast_task_submissions_total{queue="mail",type="note",result="accepted"} 1',
    ]);
    expect(await named.lines('holdfast_queue_tasks{queue="mail",state="ready"')).toHaveLength(2);
    await named.close();
  });
});
