import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { closeIdleConnections } from './idle-connections.ts';

it('a further connection closes while each of the others has a request, and an idle one closes once there is one', async () => {
  const responses: ServerResponse[] = [];
  const server = createServer((_, response) => void responses.push(response));
  closeIdleConnections(server, 2);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const opened = (): Socket =>
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume();
  const isClosed = (socket: Socket) => expect.poll(() => socket.destroyed).toBe(true);
  const busy = [opened(), opened()];
  for (const socket of busy) socket.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
  await expect.poll(() => responses.length).toBe(2);
  await isClosed(opened());
  expect(busy.map(({ destroyed }) => destroyed)).toEqual([false, false]);
  responses[0]?.end('done');
  const next = opened();
  next.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
  await expect.poll(() => responses.length).toBe(3);
  await expect.poll(() => busy.filter(({ destroyed }) => destroyed).length).toBe(1);
  expect(next.destroyed).toBe(false);
});
