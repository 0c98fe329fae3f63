import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listenForScrapes } from './counts-listener.ts';

async function listening() {
  const listener = await listenForScrapes('127.0.0.1', 0, () => 'slots 1\n');
  onTestFinished(() => listener.close());
  return listener;
}

it('the counts are served to GET and HEAD of /metrics alone', async () => {
  const { port } = await listening();
  const url = `http://127.0.0.1:${port}/metrics`;
  const answer = await fetch(`${url}?format=text`);
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    'slots 1\n',
  ]);
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
  expect((await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(405);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
});

it('the counts are served on 16 connections, and a further one is closed until one of them ends', async () => {
  const { port } = await listening();
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const first = await open();
  for (let i = 1; i < 16; i++) await open();
  const further = await open();
  further.resume();
  await once(further, 'close');
  first.destroy();
  await expect
    .poll(async () => (await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined))?.status)
    .toBe(200);
});
