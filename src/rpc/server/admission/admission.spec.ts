import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { item } from '../../../../test/fixtures/api-node.ts';
import {
  type ListeningNode,
  type ListeningNodeOptions,
  startListeningNode,
} from '../../../../test/fixtures/listening-node.ts';
import { frame, type RawCall, type RawSession, rawSession } from '../../../../test/fixtures/raw-grpc.ts';
import { limits } from '../../../core/limits.ts';

const mb = 1_048_576;
const submitTask = '/holdfast.v1.TaskService/SubmitTask';
const watchTasks = '/holdfast.v1.TaskService/WatchTasks';
const report = '/holdfast.v1.WorkerService/Report';
const healthWatch = '/grpc.health.v1.Health/Watch';

const undo: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(options: ListeningNodeOptions = {}): Promise<ListeningNode> {
  const served = await startListeningNode(options);
  undo.push(served);
  return served;
}

/** Connects with a certificate of this name, or without one. */
async function connect(served: ListeningNode, name?: string): Promise<RawSession> {
  const files = await served.authority.issue(name ?? 'nobody', 'client');
  const raw = await rawSession(served.address, name === undefined ? { ca: files.ca } : files);
  undo.push(raw);
  return raw;
}

/** Begins calls whose messages of 1 MiB are announced, but of which only the first bytes arrive. */
function unfinished(raw: RawSession, path: string, count: number): RawCall[] {
  return Array.from({ length: count }, () => {
    const call = raw.call(path);
    call.stream.write(frame(Buffer.alloc(1_000), mb));
    return call;
  });
}

/** Resolves with the reasons of the calls that have ended, once `count` of them have. */
async function reasonsOf(calls: readonly RawCall[], count: number): Promise<(string | undefined)[]> {
  const ended: (string | undefined)[] = [];
  for (const { status } of calls) void status.then(({ reason }) => ended.push(reason));
  await expect.poll(() => ended.length, { timeout: 5_000 }).toBe(count);
  return ended;
}

const submitOf = async (served: ListeningNode, name: string) =>
  (await served.client(name)).submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 5_000 });

describe('a call of every kind', () => {
  const paths = [submitTask, watchTasks, report];

  it('from a client without a certificate is refused at its headers, before any of its message', async () => {
    const raw = await connect(await start());
    for (const path of paths) {
      expect(await raw.call(path).status).toMatchObject({ code: 16, reason: 'NO_CERTIFICATE' });
    }
  });

  it('from an identity without the verb is refused at its headers, before any of its message', async () => {
    const served = await start({ policy: { rules: [{ identity: '*', verbs: ['admin'] }] } });
    const raw = await connect(served, 'alice');
    for (const path of paths) {
      expect(await raw.call(path).status).toMatchObject({
        code: 7,
        reason: 'DENIED',
        message: expect.stringContaining('(its verbs: admin)'),
      });
    }
  });
});

describe('messages that never end', () => {
  const most = {
    receivingBytes: 20 * mb,
    receivingBytesPerIdentity: 8 * mb,
    receivingBytesPerConnection: 4 * mb,
    receivingBytesOfStrangers: mb,
    receivingReserveBytes: 2 * mb,
    receivingBytesOfReserve: mb,
  };

  it.each([submitTask, watchTasks, report])(
    'are bounded on one connection, and the others are served: %s',
    async (path) => {
      const served = await start({ bounds: { most } });
      const raw = await connect(served, 'alice');
      const calls = unfinished(raw, path, 10);
      expect(new Set(await reasonsOf(calls, 7))).toEqual(new Set(['TOO_MANY_CALLS']));
      expect(served.listening.receivingBytes).toBeLessThan(4 * mb);
      await submitOf(served, 'alice');
      await submitOf(served, 'bob');
    },
  );

  it('are bounded for one identity on all its connections, and free their bytes when they end', async () => {
    const served = await start({ bounds: { most } });
    const raws = [
      await connect(served, 'alice'),
      await connect(served, 'alice'),
      await connect(served, 'alice'),
    ];
    const calls = raws.flatMap((raw) => unfinished(raw, submitTask, 3));
    await reasonsOf(calls, 2);
    const [first] = unfinished(await connect(served, 'alice'), submitTask, 1);
    expect(await first?.status).toMatchObject({
      code: 8,
      message: expect.stringContaining("'spiffe://holdfast.dev/client/alice' has"),
    });
    await submitOf(served, 'bob');
    for (const raw of raws) raw.session.destroy();
    await expect.poll(() => served.listening.receivingBytes).toBeLessThan(100_000);
    await submitOf(served, 'alice');
  });

  it('of several identities leave a reserve of the node for an identity that has few', async () => {
    const served = await start({ bounds: { most } });
    const calls: RawCall[] = [];
    for (const name of ['a', 'b', 'c']) {
      for (let i = 0; i < 2; i++) calls.push(...unfinished(await connect(served, name), submitTask, 4));
    }
    await reasonsOf(calls, 7);
    expect(served.listening.receivingBytes).toBeGreaterThan(16 * mb);
    await submitOf(served, 'bob');
  });

  it('are counted until the end of the request, also if the message itself is complete', async () => {
    const served = await start({ bounds: { most } });
    const raw = await connect(served, 'alice');
    const calls = Array.from({ length: 8 }, () => {
      const call = raw.call(submitTask);
      call.stream.write(frame(Buffer.alloc(mb - 1_000)));
      return call;
    });
    await reasonsOf(calls, 5);
    expect(served.listening.receivingBytes).toBeLessThan(4 * mb);
  });

  it('are counted with the size of the largest message if they are compressed', async () => {
    const served = await start({ bounds: { most } });
    const raw = await connect(served, 'alice');
    const call = raw.call(submitTask, { 'grpc-encoding': 'gzip' });
    const small = gzipSync(Buffer.alloc(10));
    call.stream.write(frame(small, small.length, 1));
    await expect.poll(() => served.listening.receivingBytes).toBeGreaterThan(mb);
    call.stream.end();
    await call.status;
    await expect.poll(() => served.listening.receivingBytes).toBeLessThan(100_000);
  });

  it('are ended after the time of a request, whether some of the message or only the headers came', async () => {
    const served = await start({ bounds: { requestMs: 300 } });
    const raw = await connect(served, 'alice');
    const calls = [raw.call(submitTask), ...unfinished(raw, submitTask, 1), ...unfinished(raw, report, 1)];
    for (const { status } of calls) {
      expect(await status).toMatchObject({
        code: 4,
        reason: 'TIMED_OUT',
        message: 'The message of this call did not arrive within 0.3 s.',
      });
    }
    expect(served.listening.receivingBytes).toBe(0);
  });
});

describe('a client without a certificate', () => {
  it('has few concurrent calls, a small window and small messages', async () => {
    const served = await start();
    const raw = await connect(served);
    expect(raw.session.remoteSettings).toMatchObject({
      maxConcurrentStreams: limits.callsPerStranger,
      initialWindowSize: limits.strangerWindowBytes,
    });
    const large = raw.call(healthWatch);
    large.stream.end(frame(Buffer.alloc(1), limits.strangerMessageBytes + 1));
    expect(await large.status).toMatchObject({ code: 8, reason: 'TOO_LARGE' });
    const most = limits.callsPerStranger * (limits.callBytes + 1_000);
    for (let i = 0; i < 2 * limits.callsPerStranger; i++) {
      raw.call(healthWatch).stream.end(frame(Buffer.alloc(0)));
    }
    await expect
      .poll(() => served.listening.receivingBytes)
      .toBeGreaterThan(limits.callsPerStranger * limits.callBytes);
    expect(served.listening.receivingBytes).toBeLessThan(most);
  });
});
