import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment, OutcomeKind } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import type { LogFields } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import type { SessionSink } from '../service.ts';

const tenant = 'default';
const types = [{ type: 'note', maxVersion: 1 }];

/** Starts a node with tasks of these keys, of which `b` has lost two workers. */
async function withPoison(engineOf: typeof memory | typeof externalMemory, keys: readonly string[]) {
  const clock = virtualClock();
  const lines: { level: string; fields: LogFields; message: string }[] = [];
  const line = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ level, fields, message });
  const log = { debug() {}, info() {}, warn: line('warn'), error: line('error') };
  const options = { ...engineOf({ clock }), node: 'n', clock, log, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = async (maxTasks = 10): Promise<readonly Assignment[]> => {
    const claimed = await service.claim({
      ...{ tenant, queues: ['q'], types, maxTasks, waitMs: 0 },
      ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    await settled();
    return claimed;
  };
  const settle = async (tasks: readonly Assignment[], outcome: OutcomeKind, begun = true) => {
    const empty = { result: undefined, message: 'exit code 7', errorType: '', afterMs: undefined, begun };
    const items = tasks.map(({ lease }) => ({ lease, outcome, ...empty }));
    await service.settle(items, { tenant, sessionId: undefined });
    await settled();
  };
  const submit = async (some: readonly string[]) => {
    const submitted = await service.submit(
      { tenant, queue: 'q' },
      some.map((key) => item(key)),
      { notAfterMs: undefined },
    );
    await settled();
    return submitted;
  };
  await submit(['b']);
  for (let i = 0; i < 2; i++) await settle(await claim(), 'lost');
  await submit(keys);
  return { clock, lines, service, claim, settle, settled };
}

const keysOf = (tasks: readonly Assignment[]): string[] => tasks.map(({ key }) => key);

describe.each([
  ['a transactional broker', memory],
  ['an external broker', externalMemory],
] as const)('with %s', (_kind, engineOf) => {
  it('ClaimTasks gives a task that lost two workers as the only task of its answer, and the others to the next call', async () => {
    const { claim, settle, lines } = await withPoison(engineOf, ['a', 'c']);
    const [only, ...more] = await claim();
    expect(only).toMatchObject({ key: 'b', alone: true, losses: 2 });
    expect(more).toEqual([]);
    expect(lines).toContainEqual({
      level: 'warn',
      fields: { task_id: only?.id, type: 'note', queue: 'q', attempt: 1, losses: 2, worker: 'w/1' },
      message: `task ${only?.id} (note) has lost 2 workers; it runs alone`,
    });
    const next = await claim();
    expect(keysOf(next).toSorted()).toEqual(['a', 'c']);
    for (const task of next) expect(task).toMatchObject({ alone: false, losses: 0 });
    expect(lines).toHaveLength(1);
    await settle(only === undefined ? [] : [only], 'lost');
    const { level, fields, message } = lines.at(-1) ?? expect.fail('no line');
    expect([level, fields.task_id, fields.type, fields.queue, fields.losses]).toEqual([
      'error',
      only?.id,
      'note',
      'q',
      3,
    ]);
    expect(message).toContain('is dead: its workers were lost');
    expect(fields.error).toContain('exit code 7');
  });
});

it('a worker that begins at once and runs tasks alone reserves a task that must run alone, and its report of the beginning counts', async () => {
  const { service, settled, clock } = await withPoison(memory, ['a']);
  const assigned: Assignment[] = [];
  const sink: SessionSink = {
    assign: (_seq, tasks) => void assigned.push(...tasks),
    cancel() {},
    drain() {},
  };
  const session = service.openSession(
    {
      ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], types },
      ...{ tasks: 10, bytes: 1_000_000, reportsBegun: false, runsAlone: true },
    },
    sink,
  );
  await clock.advance(100);
  expect(keysOf(assigned).toSorted()).toEqual(['a', 'b']);
  const stateOf = async (key: string) =>
    (await service.getByKey({ tenant, queue: 'q', key }, false)).snapshot.head;
  expect(await stateOf('a')).toMatchObject({ state: 'running', begun: true });
  expect(await stateOf('b')).toMatchObject({ state: 'running', begun: false });
  session.begun([assigned.findIndex(({ key }) => key === 'b') + 1], []);
  expect(await stateOf('b')).toMatchObject({ begun: true });
  session.close();
  await settled();
});
