import { describe, expect, it } from 'vitest';
import { apiNode, calledBy, Recorded } from '../../../../test/fixtures/api-node.ts';
import type { WorkResponse } from '../../../core/messages.ts';
import { silentLog } from '../../../ports/log.ts';
import type { Parts } from '../parts.ts';
import { openChannel } from './channel.ts';
import { OpenStreams } from './open-streams.ts';

describe('a stream that ended', () => {
  it('leaves nothing behind: no count, no timer, no one to tell of a drain or of its caller’s end', async () => {
    const { clock, service } = await apiNode();
    const listeners = new Set<() => void>();
    const parts: Parts = {
      service,
      clock,
      log: silentLog,
      node: 'n',
      streams: new OpenStreams(),
      draining: false,
      onDrain(drain) {
        listeners.add(drain);
        return () => listeners.delete(drain);
      },
    };
    const gone = new AbortController();
    let closed = 0;
    const stream = new Recorded<WorkResponse>();
    const events = { draining() {}, closed: () => closed++ };
    const channel = openChannel<WorkResponse>(
      parts,
      stream,
      calledBy(undefined, { signal: gone.signal }),
      events,
    );
    expect([listeners.size, parts.streams.count]).toEqual([1, 1]);
    channel?.end();
    gone.abort();
    channel?.send({ kind: 'keepAlive' });
    channel?.end();
    await clock.settle();
    expect([listeners.size, parts.streams.count, clock.pending, closed]).toEqual([0, 0, 0, 1]);
    expect(stream.messages).toEqual([]);
  });

  it('never begins where its caller has already gone', async () => {
    const { api } = await apiNode();
    const stream = new Recorded<WorkResponse>();
    api.work(stream, calledBy(undefined, { signal: AbortSignal.abort() }));
    expect(stream.ended).toBe(true);
    expect(api.openStreams).toBe(0);
  });
});
