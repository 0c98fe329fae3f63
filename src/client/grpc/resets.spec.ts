import { once } from 'node:events';
import { constants, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { systemClock } from '../../platform/clock.ts';
import { grpcTransport } from './transport.ts';

const batch = { tenant: '', queue: 'q', items: [item('a')] };

it.each(['CANCEL', 'INTERNAL_ERROR', 'REFUSED_STREAM', 'ENHANCE_YOUR_CALM'] as const)(
  'a call that a proxy resets with %s is no call that its caller cancelled, and may be repeated',
  async (name) => {
    const server = createServer();
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.close(constants[`NGHTTP2_${name}`]);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = grpcTransport({ address: `127.0.0.1:${port}`, plaintext: true, clock: systemClock() });
    onTestFinished(async () => {
      await client.close();
      server.close();
    });
    const reset = client.submit(batch, { timeoutMs: 5_000 });
    await expect(reset).rejects.toMatchObject({ retryable: true });
    await expect(reset).rejects.not.toMatchObject({ reason: 'ABANDONED' });
  },
);
