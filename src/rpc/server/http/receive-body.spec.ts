import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  type ListeningNode,
  quickClock,
  startListeningNode,
} from '../../../../test/fixtures/listening-node.ts';
import { limits } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import { lingerMs } from './receive-body.ts';

const mb = 1_048_576;
const most = {
  receivingBytes: 8 * mb,
  receivingBytesPerIdentity: 4 * mb,
  receivingBytesPerConnection: 4 * mb,
  receivingBytesOfStrangers: mb,
  receivingBytesPerAddress: mb,
  receivingBytesOfFewCalls: 49_152,
  receivingReserveBytes: mb,
  receivingBytesOfReserve: 100_000,
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

async function start(clock: Clock = quickClock()): Promise<ListeningNode> {
  const served = await startListeningNode({ plaintext: true, bounds: { most }, clock });
  undo.push(() => served[Symbol.asyncDispose]());
  return served;
}

/** Posts the beginning of a body. Returns the socket and the text that the server has answered so far. */
async function post({ listening }: ListeningNode, path: string, body: Buffer, length: number) {
  const socket: Socket = connect({ host: '127.0.0.1', port: listening.httpPort ?? 0 });
  undo.push(() => socket.destroy());
  socket.on('error', () => {});
  const answer = { text: '' };
  socket.on('data', (data) => {
    answer.text += data;
  });
  await once(socket, 'connect');
  const type = 'content-type: application/json';
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\n${type}\r\ncontent-length: ${length}\r\n\r\n`);
  socket.write(body);
  return answer;
}

it('bodies that never end are bounded for one identity, and further ones are refused with the reason', async () => {
  const served = await start();
  const body = Buffer.alloc(mb, ' ');
  const answers: { text: string }[] = [];
  for (let i = 0; i < 6; i++) {
    answers.push(await post(served, '/holdfast.v1.TaskService/SubmitTask', body, 2 * mb));
  }
  const refused = () => answers.filter(({ text }) => text !== '');
  await expect.poll(() => refused().length).toBeGreaterThanOrEqual(2);
  for (const { text } of refused()) {
    expect(text).toContain('429');
    expect(text).toContain("'local' has open calls, unfinished messages and unread answers");
  }
  expect(served.listening.receivingBytes).toBeLessThan(4 * mb);
});

it('a body of the health service is small, since everybody may call it', async () => {
  const served = await startListeningNode();
  undo.push(() => served[Symbol.asyncDispose]());
  const files = await served.authority.issue('nobody', 'client');
  const { Agent, request } = await import('node:https');
  const { readFileSync } = await import('node:fs');
  const call = request({
    host: '127.0.0.1',
    port: served.listening.httpPort,
    path: '/grpc.health.v1.Health/Check',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ca: readFileSync(files.ca),
    agent: new Agent(),
  });
  call.on('error', () => {});
  call.end(Buffer.alloc(limits.strangerMessageBytes + 1, ' '));
  const [answer] = (await once(call, 'response')) as [{ statusCode: number }];
  expect(answer.statusCode).toBe(429);
});

it('a connection whose request was refused before its whole body was read serves further requests', async () => {
  // So long that a busy machine has read the rest of the body by then.
  const longLingerMs = 5_000;
  const clock = quickClock();
  const after: Clock['after'] = (ms, run) => clock.after(ms === lingerMs ? longLingerMs : ms, run);
  const { listening } = await start({ ...clock, after });
  const socket = connect({ host: '127.0.0.1', port: listening.httpPort ?? 0 });
  undo.push(() => socket.destroy());
  let text = '';
  socket
    .on('error', () => {})
    .on('data', (data) => {
      text += data;
    });
  // Each envelope of a stream begins with its length; this one is too long, and the body has much more than it.
  const body = Buffer.alloc(400_000, 0x0b);
  const head = `POST /holdfast.v1.TaskService/WatchTasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/connect+json\r\n`;
  socket.write(`${head}content-length: ${body.length}\r\n\r\n`);
  socket.write(body);
  await expect.poll(() => text).toContain('TOO_LARGE');
  // A connection whose body was not read is closed after this time.
  await new Promise((resolve) => setTimeout(resolve, longLingerMs + 500));
  socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
  await expect.poll(() => text).toContain('SERVING');
});
