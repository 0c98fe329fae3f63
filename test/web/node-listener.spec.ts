import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { served } from './served.ts';

/** Sends bytes on a connection of their own and returns everything that is answered until the connection ends. */
async function exchange(url: string, ...requests: string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(requests.join(''));
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

it('a request whose host is none is refused with a problem document', async () => {
  await using web = await served('node:http');
  const answer = await exchange(web.url, 'GET /tasks/1.a HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 400 [\s\S]*application\/problem\+json/);
});

it('a connection whose body was too large serves the next request', async () => {
  await using web = await served('node:http', { maxBodyBytes: 1_000 });
  const large = `{"name":"${'x'.repeat(100_000)}"}`;
  const head = `host: app\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n`;
  const answer = await exchange(
    web.url,
    `POST /tasks/greet HTTP/1.1\r\n${head}${large}`,
    'GET /tasks/1.a HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n',
  );
  expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 404']);
});

it('a connection whose body never ends is closed a second after its answer', async () => {
  await using web = await served('node:http', { maxBodyBytes: 1_000 });
  const head = 'host: app\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n';
  expect(await exchange(web.url, `POST /tasks/greet HTTP/1.1\r\n${head}{`)).toMatch(/^HTTP\/1.1 413 /);
});
