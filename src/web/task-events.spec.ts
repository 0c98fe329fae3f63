import { expect, it } from 'vitest';
import type { TaskEvent } from '../client/tasks/status.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { eventStream } from './task-events.ts';

function opened(open: (signal: AbortSignal) => AsyncIterable<TaskEvent>) {
  const clock = virtualClock();
  const ends: string[] = [];
  const errors: unknown[] = [];
  const stream = eventStream({
    ...{ open, clock, keepAliveMs: 1_000 },
    json: ({ version }) => ({ version }),
    signal: new AbortController().signal,
    onError: (thrown) => errors.push(thrown),
    onEnd: () => ends.push('end'),
  });
  return { clock, ends, errors, reader: stream.getReader() };
}

const textOf = ({ value }: { readonly value?: Uint8Array | undefined }) =>
  Buffer.from(value ?? []).toString();
const eventAt = (version: number) => ({ version }) as TaskEvent;

it('a caller that does not read makes the stream neither read events ahead nor collect comments', async () => {
  let read = 0;
  const { clock, reader } = opened(async function* () {
    for (;;) yield eventAt(++read);
  });
  await clock.advance(60_000);
  expect(read).toBeLessThanOrEqual(1);
  expect(textOf(await reader.read())).toBe(': \n\n');
  expect(textOf(await reader.read())).toBe('id: 1\ndata: {"version":1}\n\n');
  await clock.advance(60_000);
  expect(textOf(await reader.read())).toBe('id: 2\ndata: {"version":2}\n\n');
  await reader.cancel();
});

it('events that end by an error end the stream, and the error is for the server', async () => {
  const lost = new Error('the connection is lost');
  const { clock, ends, errors, reader } = opened(async function* () {
    yield eventAt(1);
    throw lost;
  });
  const texts: string[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) texts.push(textOf(next));
  expect(texts).toEqual([': \n\n', 'id: 1\ndata: {"version":1}\n\n']);
  expect([ends, errors]).toEqual([['end'], [lost]]);
  expect(clock.pending).toBe(0);
});

it.each([1, 2])(
  'a caller that goes away ends the events, its timer and the stream, once: after %i reads',
  async (reads) => {
    let isClosed = false;
    const { clock, ends, errors, reader } = opened(async function* (signal) {
      try {
        yield eventAt(1);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      } finally {
        isClosed = true;
      }
    });
    for (let i = 0; i < reads; i++) await reader.read();
    await clock.settle();
    await reader.cancel();
    await clock.settle();
    expect(isClosed).toBe(true);
    expect([ends, errors, clock.pending]).toEqual([['end'], [], 0]);
  },
);
