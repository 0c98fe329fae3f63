/** Tests which messages of a worker change the credit of its session (decision 022). */
import { describe, expect, it } from 'vitest';
import {
  apiNode,
  callContext,
  item,
  RecordingStream,
  specOf,
  submitItems,
} from '../../../../test/fixtures/api-node.ts';
import type { ReportRequest, ReportResponse, Settlement, WorkResponse } from '../../../core/messages.ts';

const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined };
const ok = (lease: Uint8Array): Settlement => ({ lease, outcome: 'succeeded', begun: true, ...nothing });
const greeting: ReportRequest = { kind: 'hello', sessionId: '', workerId: 'i', tenant: '' };

/** Starts a node with a worker whose first hello gives `tasks` credits. */
async function workerOf(tasks: number, ...keys: string[]) {
  const node = await apiNode();
  const spec = specOf(JSON.stringify('x'.repeat(200_000)));
  for (const key of keys) await submitItems(node, item(key, { spec }));
  const recorded = new RecordingStream<WorkResponse>();
  const work = node.api.work(recorded, callContext());
  const hello = (credits: number): void =>
    work.message({
      ...{ kind: 'hello', tenant: '', workerName: 'w', workerId: 'i', queues: ['q'] },
      ...{ types: [{ type: 'note', maxVersion: 1 }], tasks: credits, bytes: 60_000_000, reportsBegun: true },
    });
  hello(tasks);
  await node.clock.settle();
  const received = (seq: number): void =>
    work.message({ kind: 'received', seq, begun: [], attempts: [], kept: [] });
  const credit = (count: number): void =>
    work.message({ kind: 'credit', tasks: count, bytes: 8_000_000, types: [] });
  const answers = new RecordingStream<ReportResponse>();
  const report = node.api.report(answers, callContext());
  /** Submits ten further tasks, and returns how many of them the worker gets. */
  const taken = async (): Promise<number> => {
    const before = recorded.of('assignments').flatMap((message) => message.tasks).length;
    await submitItems(node, ...Array.from({ length: 10 }, (_, i) => item(`further-${i}`)));
    for (let s = 0; s < 5; s++) {
      await node.clock.advance(1_000);
      received(recorded.of('assignments').at(-1)?.seq ?? 0);
    }
    return recorded.of('assignments').flatMap((message) => message.tasks).length - before;
  };
  return {
    ...{ node, hello, received, credit, report, answers, taken },
    pieces: recorded.of('assignments'),
    leases: recorded.of('assignments').flatMap((message) => message.tasks.map(({ lease }) => lease)),
    sessionId: recorded.of('welcome')[0]?.sessionId ?? '',
  };
}

it('a hello between two messages of one assignment counts each task once', async () => {
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const { node, pieces, leases, hello, received, credit, report, taken } = await workerOf(8, ...keys);
  const [first, second] = pieces;
  expect(pieces.map(({ tasks }) => tasks.length)).toEqual([5, 3]);
  received(first?.seq ?? 0);
  hello(3);
  received(second?.seq ?? 0);
  await node.clock.settle();
  report.message(greeting);
  report.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
  await node.clock.settle();
  credit(8);
  expect(await taken()).toBe(8);
});

describe('the credit of a batch of settlements', () => {
  it('does not count if an older worker replaces its credit while the batch waits for its turn', async () => {
    const { node, leases, sessionId, hello, received, credit, report, answers, taken } = await workerOf(
      2,
      'a',
      'b',
    );
    received(1);
    const other = node.api.report(new RecordingStream<ReportResponse>(), callContext());
    other.message({ ...greeting, workerId: 'j' });
    const beat = { lease: Uint8Array.of(1, 2, 3), begun: true, progress: undefined };
    for (let batch = 0; batch < 12; batch++)
      other.message({ kind: 'heartbeats', batch, items: Array(100).fill(beat) });
    report.message({ ...greeting, sessionId });
    report.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    hello(0);
    await node.clock.advance(1_000);
    expect(answers.of('settled')).toMatchObject([{ credited: false }]);
    credit(2);
    expect(await taken()).toBe(2);
  });

  it('counts while the hello that the worker named is the last one', async () => {
    const { node, leases, sessionId, hello, received, report, answers, taken } = await workerOf(2, 'a', 'b');
    received(1);
    hello(0);
    report.message({ ...greeting, sessionId, hellos: 2 });
    report.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    await node.clock.settle();
    expect(answers.of('settled')).toMatchObject([{ credited: true }]);
    expect(await taken()).toBe(2);
  });

  it.each([
    { named: 1, title: 'an earlier hello' },
    { named: 3, title: 'a hello that is still on its way' },
  ])('does not count if the worker named $title', async ({ named }) => {
    const { node, leases, sessionId, hello, received, report, answers, taken } = await workerOf(2, 'a', 'b');
    received(1);
    hello(0);
    report.message({ ...greeting, sessionId, hellos: named });
    report.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    await node.clock.settle();
    expect(answers.of('settled')).toMatchObject([{ credited: false }]);
    expect(await taken()).toBe(0);
  });
});
