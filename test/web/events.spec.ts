import { get, type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/index.ts';
import { eventsOf, greet, kinds, type SentEvent, served } from './served.ts';

async function collect(url: string, headers: Record<string, string> = {}): Promise<SentEvent[]> {
  return Array.fromAsync(eventsOf(await fetch(url, { headers })));
}

/** Records the signals with which the handler watches tasks. */
function recording(signals: AbortSignal[]) {
  return (client: Client): Client => ({
    ...client,
    task: (id: string) => {
      const task = client.task(id);
      const recorded: Pick<typeof task, 'id' | 'status' | 'events'> = {
        id,
        status: (options) => task.status(options),
        events(options = {}) {
          if (options.signal !== undefined) signals.push(options.signal);
          return task.events(options);
        },
      };
      return recorded as typeof task;
    },
  });
}

describe.each(kinds)('event streams of holdfast/web on %s', (kind) => {
  it('send the recorded events, then new ones as they happen, and end with the task', async () => {
    await using web = await served(kind);
    const { body } = await web.post({ name: 'slow' });
    const answer = await fetch(web.url + body.eventsUrl);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const types: string[] = [];
    for await (const { data } of eventsOf(answer)) {
      types.push(data.kind);
      if (data.state === 'running') web.release();
    }
    expect(types).toEqual(['submitted', 'claimed', 'succeeded']);
  });

  it('resume behind Last-Event-ID, and neither lose nor repeat an event', async () => {
    await using web = await served(kind);
    const { body } = await web.post({ name: 'flaky' });
    await web.client.task(body.id).result();
    const all = await collect(web.url + body.eventsUrl);
    expect(all.map(({ id }) => id)).toEqual(all.map((_, i) => i + 1));
    for (const { id } of all.slice(0, -1)) {
      const rest = await collect(web.url + body.eventsUrl, { 'last-event-id': String(id) });
      expect(rest).toEqual(all.slice(id));
    }
  });

  it('are cut at any event and resumed while the task goes on', async () => {
    await using web = await served(kind);
    const { body } = await web.post({ name: 'slow' });
    const seen: number[] = [];
    for (let last = 0; ; ) {
      const answer = await fetch(web.url + body.eventsUrl, {
        headers: { 'last-event-id': String(last || '') },
      });
      if (answer.status === 204) break;
      for await (const { id, data } of eventsOf(answer)) {
        seen.push(id);
        last = id;
        if (data.state === 'running') web.release();
        break;
      }
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it('end a watch when the caller goes away', async () => {
    const signals: AbortSignal[] = [];
    await using web = await served(kind, { wrap: recording(signals) });
    const { body } = await web.post({ name: 'slow' });
    const open = get(web.url + body.eventsUrl);
    const response = await new Promise<IncomingMessage>((resolve) => open.once('response', resolve));
    await new Promise((resolve) => response.once('data', resolve));
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    open.destroy();
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('send comments while nothing happens', async () => {
    await using web = await served(kind, { keepAlive: '20ms' });
    const { body } = await web.post({ name: 'slow' });
    const answer = await fetch(web.url + body.eventsUrl);
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.split(': \n\n').length > 4) break;
    }
    expect(text.split(': \n\n').length).toBeGreaterThan(4);
  });
});

it('a Last-Event-ID that is of no event of the task is refused', async () => {
  await using web = await served('node:http');
  const { body } = await web.post({ name: 'slow' });
  for (const id of ['abc', '-1', '1e9', '999'])
    expect((await web.get(body.eventsUrl, { 'last-event-id': id })).body).toMatchObject({ status: 400 });
});

it('the texts of errors are sent if the handler was made to show them', async () => {
  const texts = async (showErrors: boolean) => {
    await using web = await served('node:http', { showErrors });
    const task = await web.client.submit(greet, { name: 'flaky' });
    await task.result();
    return JSON.stringify(await collect(`${web.url}/tasks/${task.id}/events`));
  };
  expect(await texts(false)).not.toContain('team 7');
  expect(await texts(true)).toContain('team 7');
});
