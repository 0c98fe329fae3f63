import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { agentAt, protectionUrl } from './agent.ts';
import { TaskProtection } from './task-protection.ts';

const done = '{"protection":{"ProtectionEnabled":true}}';
const takenBack = '{"protection":{"ProtectionEnabled":false}}';

/** Starts an HTTP server in the role of the agent of ECS, and the protection that calls it. */
async function start() {
  const calls: string[] = [];
  const lines: string[] = [];
  const agent = {
    calls,
    lines,
    answer: (response: ServerResponse, isOn: boolean): void => {
      response.end(isOn ? done : takenBack);
    },
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { readonly ProtectionEnabled: boolean };
    calls.push(`${request.method} ${request.url} ${JSON.stringify(body)}`);
    agent.answer(response, body.ProtectionEnabled);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const clock = virtualClock();
  const log = { ...silentLog, warn: (_fields: object, message: string) => void lines.push(message) };
  const url = protectionUrl({ ECS_AGENT_URI: `http://127.0.0.1:${port}/api/token` });
  const protection = new TaskProtection(agentAt(url, clock), clock, log);
  /** Lets virtual time pass, a second at a time, and waits for the calls that come due. */
  const pass = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      await clock.advance(1_000);
      await settled();
    }
  };
  const settled = () => new Promise((resolve) => setTimeout(resolve, 2));
  const hold = () => {
    const attempt = Promise.withResolvers<void>();
    const ended = protection.during(() => attempt.promise);
    return async (): Promise<void> => {
      attempt.resolve();
      await ended;
    };
  };
  return { agent, protection, clock, pass, hold };
}

const path = 'PUT /api/token/task-protection/v1/state';
const protect = `${path} {"ProtectionEnabled":true,"ExpiresInMinutes":10}`;
const takeBack = `${path} {"ProtectionEnabled":false}`;

it('the first attempt protects the task, further ones make no call, and 15 s without one take the protection back', async () => {
  const { agent, pass, hold } = await start();
  const [first, second] = [hold(), hold()];
  await expect.poll(() => agent.calls).toEqual([protect]);
  await first();
  await pass(20);
  await second();
  for (let i = 0; i < 5; i++) {
    await pass(10);
    await hold()();
  }
  await pass(14);
  expect(agent.calls).toEqual([protect]);
  await pass(2);
  await expect.poll(() => agent.calls).toEqual([protect, takeBack]);
  await pass(700);
  expect(agent.calls).toHaveLength(2);
  const third = hold();
  await expect.poll(() => agent.calls).toEqual([protect, takeBack, protect]);
  await third();
});

it('a protection is renewed every 5 minutes, before its 10 minutes are over, for as long as an attempt runs', async () => {
  const { agent, clock, hold } = await start();
  const end = hold();
  for (let calls = 1; calls <= 4; calls++) {
    await expect.poll(() => agent.calls).toHaveLength(calls);
    await clock.advance(299_000);
    expect(agent.calls).toHaveLength(calls);
    await clock.advance(1_001);
  }
  await end();
  expect(new Set(agent.calls)).toEqual(new Set([protect]));
});

it('an agent that fails is called again every 10 s and logged once a minute, and the attempts go on', async () => {
  const { agent, protection, pass } = await start();
  agent.answer = (response) => {
    response.statusCode = 400;
    response.end('{"error":{"Code":"AccessDeniedException","Message":"not allowed"}}');
  };
  const attempt = Promise.withResolvers<string>();
  const ended = protection.during(() => attempt.promise);
  await expect.poll(() => agent.calls).toHaveLength(1);
  await pass(125);
  expect(agent.calls.length).toBeGreaterThanOrEqual(10);
  expect(agent.calls.length).toBeLessThanOrEqual(13);
  expect(agent.lines).toEqual(
    Array(3).fill(
      'the ECS task may be stopped by scale-in while it works: the call to the agent of ECS failed: AccessDeniedException (not allowed)',
    ),
  );
  attempt.resolve('result');
  expect(await ended).toBe('result');
});

/** Answers with spaces for as long as they are read. */
function flood(response: ServerResponse): void {
  Readable.from(
    (function* () {
      for (let i = 0; i < 1_024; i++) yield Buffer.alloc(65_536, ' ');
    })(),
  )
    .on('error', () => {})
    .pipe(response);
}

it('each way in which an agent fails is logged with a sentence', async () => {
  const refused = '{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED","Detail":""}}';
  const cases: readonly (readonly [(response: ServerResponse) => void, RegExp])[] = [
    [(response) => void response.end(refused), /was refused: DEPLOYMENT_BLOCKED$/],
    [(response) => void response.end('<html>'), /status 200 and a text that is no JSON$/],
    [(response) => void response.end('null'), /status 200 and without the wanted protection$/],
    [(response) => void response.end(takenBack), /status 200 and without the wanted protection$/],
    [(response) => void response.writeHead(302, { location: '/' }).end(), /failed \(/],
    [(response) => void response.destroy(), /failed \(UND_ERR_SOCKET\)$/],
    [
      (response) => void response.end('{"failure":{"Reason":{"a":1},"Detail":7}}'),
      /was refused: \{"a":1\} \(7\)$/,
    ],
    [
      (response) => void response.end(JSON.stringify({ error: { Code: 'x'.repeat(10_000) } })),
      /failed: x{100,200}$/,
    ],
    [
      (response) => void response.end('{"error":null,"failure":null}'),
      /status 200 and without the wanted protection$/,
    ],
    // A stream without an end would fill the memory of the worker before the time is over.
    [flood, /was answered with more than 64 KiB$/],
    [() => {}, /was not answered within 5 s$/],
  ];
  for (const [answer, sentence] of cases) {
    const { agent, pass, hold } = await start();
    agent.answer = answer;
    const end = hold();
    await expect.poll(() => agent.calls).toHaveLength(1);
    await pass(6);
    await expect.poll(() => agent.lines[0]).toMatch(sentence);
    await end();
  }
});

it('a stop takes the protection back at once, also one whose answer was lost, and no call follows', async () => {
  for (const isLost of [false, true]) {
    const { agent, protection, pass, hold } = await start();
    const { answer } = agent;
    agent.answer = (response, isOn) => void (isLost && isOn ? response.destroy() : answer(response, isOn));
    const end = hold();
    await expect.poll(() => agent.calls).toEqual([protect]);
    await pass(1);
    await protection.stop();
    expect(agent.calls).toEqual([protect, takeBack]);
    await end();
    await protection.during(async () => {});
    await pass(60);
    expect(agent.calls).toHaveLength(2);
  }
});

it('a stop makes no call where nothing is protected, and waits a second at most for an agent that does not answer', async () => {
  const idle = await start();
  await idle.protection.stop();
  expect(idle.agent.calls).toEqual([]);

  const { agent, protection, pass, hold } = await start();
  void hold();
  await expect.poll(() => agent.calls).toHaveLength(1);
  await pass(1);
  agent.answer = () => {};
  let isStopped = false;
  void protection.stop().then(() => {
    isStopped = true;
  });
  await expect.poll(() => agent.calls).toHaveLength(2);
  expect(isStopped).toBe(false);
  await pass(1);
  expect(isStopped).toBe(true);
});

it('a process without a usable ECS_AGENT_URI is refused', () => {
  expect(() => protectionUrl({})).toThrow(/ECS_AGENT_URI is not set/);
  for (const ECS_AGENT_URI of ['agent', 'file:///etc/passwd'])
    expect(() => protectionUrl({ ECS_AGENT_URI })).toThrow(/ECS_AGENT_URI is no URL/);
});
