import { describe, expect, it } from 'vitest';
import { anyone } from '../../../../test/fixtures/api-node.ts';
import { OpenStreams } from './open-streams.ts';

describe('open streams', () => {
  it('are limited for each identity', () => {
    const streams = new OpenStreams({ streams: 10, streamsPerIdentity: 2 });
    const close = streams.open(anyone);
    streams.open(anyone);
    expect(() => streams.open(anyone)).toThrow(
      expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_STREAMS', retryable: true }),
    );
    streams.open({ ...anyone, name: 'other' });
    close();
    close();
    streams.open(anyone);
    expect(streams.count).toBe(3);
    expect(() => streams.open(anyone)).toThrow(
      "'local' has 2 streams open on this node, which is its limit.",
    );
  });

  it('are limited for the node', () => {
    const streams = new OpenStreams({ streams: 1, streamsPerIdentity: 2 });
    streams.open(anyone);
    expect(() => streams.open({ ...anyone, name: 'other' })).toThrow(
      'This node has 1 streams open, which is its limit.',
    );
  });
});
