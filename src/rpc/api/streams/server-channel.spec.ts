import { describe, expect, it } from 'vitest';
import { apiNode, callContext, RecordingStream } from '../../../../test/fixtures/api-node.ts';
import type { WorkResponse } from '../../../core/messages.ts';
import { silentLog } from '../../../ports/log.ts';
import type { ApiDeps } from '../api-deps.ts';
import { reportShares, waitingClaimShares, watchShares } from '../identity-shares.ts';
import { ReportTurns } from '../report-turns.ts';
import { Unanswered } from '../unanswered.ts';
import { OpenStreams } from './open-streams.ts';
import { openChannel } from './server-channel.ts';
import { UnsentBytes } from './unsent-bytes.ts';

describe('the server’s end of a stream', () => {
  it('leaves no count, timer or listener behind when the stream ends', async () => {
    const { clock, service } = await apiNode();
    const listeners = new Set<() => void>();
    const deps: ApiDeps = {
      service,
      clock,
      log: silentLog,
      node: 'n',
      streams: new OpenStreams(),
      waitingClaims: waitingClaimShares(),
      watches: watchShares(),
      unsent: new UnsentBytes(),
      reportBytes: reportShares(),
      reportTurns: new ReportTurns(clock),
      unanswered: new Unanswered(),
      draining: false,
      onFinish: () => () => {},
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
