import { describe, expect, it } from 'vitest';
import { apiDeps, apiNode, callContext, RecordingStream } from '../../../../test/fixtures/api-node.ts';
import type { WorkResponse } from '../../../core/messages.ts';
import type { ApiDeps } from '../api-deps.ts';
import { openChannel } from './server-channel.ts';

describe('the server’s end of a stream', () => {
  it('leaves no count, timer or listener behind when the stream ends', async () => {
    const { clock, deps: common } = await apiDeps();
    const listeners = new Set<() => void>();
    const deps: ApiDeps = {
      ...common,
      onDrain(drain) {
        listeners.add(drain);
        return () => listeners.delete(drain);
      },
    };
    const gone = new AbortController();
    let closed = 0;
    const stream = new RecordingStream<WorkResponse>();
    const events = { draining() {}, closed: () => closed++ };
    const channel = openChannel<WorkResponse>(
      deps,
      stream,
      callContext(undefined, { signal: gone.signal }),
      events,
    );
    expect([listeners.size, deps.streams.count]).toEqual([1, 1]);
    channel?.end();
    gone.abort();
    channel?.send({ kind: 'keepAlive' });
    channel?.end();
    await clock.settle();
    expect([listeners.size, deps.streams.count, clock.pending, closed]).toEqual([0, 0, 0, 1]);
    expect(stream.messages).toEqual([]);
  });

  it('closes the stream at once if the caller has already gone', async () => {
    const { api } = await apiNode();
    const stream = new RecordingStream<WorkResponse>();
    api.work(stream, callContext(undefined, { signal: AbortSignal.abort() }));
    expect(stream.ended).toBe(true);
    expect(api.openStreams).toBe(0);
  });
});
