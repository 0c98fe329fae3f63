import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import { ensureAccepted, item, specOf } from '../../../../test/fixtures/api-node.ts';
import {
  type ListeningNode,
  type ListeningNodeOptions,
  startListeningNode,
} from '../../../../test/fixtures/listening-node.ts';
import { frame, type RawCall, type RawSession, rawSession } from '../../../../test/fixtures/raw-grpc.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import { TaskView } from '../../gen/holdfast/v1/task_pb.ts';
import { GetTaskRequestSchema } from '../../gen/holdfast/v1/task_service_pb.ts';

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
async function connect(served: ListeningNode, name?: string, localAddress?: string): Promise<RawSession> {
  const files = await served.authority.issue(name ?? 'nobody', 'client');
  const raw = await rawSession(served.address, name === undefined ? { ca: files.ca } : files, localAddress);
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
    receivingBytesPerAddress: mb,
    receivingBytesOfFewCalls: 49_152,
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

  it('are counted until the end of the call, also if the message itself is complete', async () => {
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

describe('answers that a client does not read', () => {
  it('count in its share, and then it has no further call, while others are served', async () => {
    const served = await start({
      bounds: { most: { ...limits, receivingBytesPerIdentity: 4 * mb, receivingBytesPerConnection: 4 * mb } },
    });
    const bob = await served.client('bob');
    const large = item('large', { spec: specOf(JSON.stringify('x'.repeat(250_000))) });
    const { results } = await bob.submit({ tenant: '', queue: 'q', items: [large] }, { timeoutMs: 5_000 });
    const { id } = ensureAccepted(results[0]);
    const raw = await connect(served, 'alice');
    raw.session.settings({ initialWindowSize: 0 });
    const message = frame(
      toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { id, view: TaskView.FULL })),
    );
    const reasons: (string | undefined)[] = [];
    for (let i = 0; i < 40; i++) {
      const { stream, status } = raw.call('/holdfast.v1.TaskService/GetTask');
      stream.end(message);
      void status.then(({ reason }) => reasons.push(reason));
    }
    await expect.poll(() => reasons.length).toBeGreaterThan(20);
    expect(new Set(reasons)).toEqual(new Set(['TOO_MANY_CALLS']));
    expect(served.listening.receivingBytes).toBeGreaterThan(4 * mb);
    expect(served.listening.receivingBytes).toBeLessThan(5 * mb);
    await submitOf(served, 'bob');
    raw.session.destroy();
    await expect.poll(() => served.listening.receivingBytes).toBeLessThan(100_000);
    await submitOf(served, 'alice');
  });
});

describe('clients without a certificate', () => {
  const check = '/grpc.health.v1.Health/Check';
  const few = { ...limits, receivingBytesOfStrangers: 200_000, receivingBytesPerAddress: 100_000 };

  /** Holds calls that never end from an address, until its share is used up. */
  async function hold(served: ListeningNode, localAddress: string): Promise<void> {
    const raw = await connect(served, undefined, localAddress);
    const calls = Array.from({ length: limits.callsPerStranger }, () => {
      const call = raw.call(healthWatch);
      call.stream.end(frame(Buffer.alloc(0)));
      return call;
    });
    await Promise.race(calls.map(({ status }) => status));
  }

  it('of one address are refused beyond its share, and those of others are served', async () => {
    const served = await start({ bounds: { most: few } });
    await hold(served, '127.0.0.2');
    const raw = await connect(served, undefined, '127.0.0.2');
    expect(await raw.call(check).status).toMatchObject({
      code: 8,
      reason: 'TOO_MANY_CALLS',
      message: expect.stringContaining('The clients without an identity at this address have'),
    });
    const other = (await connect(served, undefined, '127.0.0.3')).call(check);
    other.stream.end(frame(Buffer.alloc(0)));
    expect(await other.status).toMatchObject({ code: 0 });
  });

  it('are served with few calls of an address, however many addresses use up the share of all', async () => {
    const served = await start({ bounds: { most: few } });
    for (let i = 2; i < 12; i++) await hold(served, `127.0.0.${i}`);
    const other = (await connect(served, undefined, '127.0.0.20')).call(check);
    other.stream.end(frame(Buffer.alloc(0)));
    expect(await other.status).toMatchObject({ code: 0 });
    expect(served.listening.receivingBytes).toBeLessThan(200_000 + 10 * limits.receivingBytesOfFewCalls);
  });

  it.each([check, healthWatch, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'])(
    'have a few seconds from the headers of a call to its message: %s',
    async (path) => {
      const raw = await connect(await start());
      expect(await raw.call(path).status).toMatchObject({
        code: 4,
        message: 'The message of this call did not arrive within 3 s.',
      });
    },
  );
});

describe('a stream of an identity that has as many streams as it may', () => {
  const work = '/holdfast.v1.WorkerService/Work';

  it.each([work, report, watchTasks])('is refused at its headers, and holds nothing: %s', async (path) => {
    let opened = 0;
    const served = await start({
      wrap: (api) => ({
        ...api,
        ensureStreamRoom: ({ name }) => {
          if (name.endsWith('/greedy'))
            throw new HoldfastError('RESOURCE_EXHAUSTED', 'LIMIT_REACHED', 'Full.');
        },
        work: (stream, context) => {
          opened++;
          return api.work(stream, context);
        },
        report: (stream, context) => {
          opened++;
          return api.report(stream, context);
        },
        watch: (request, context) => {
          opened++;
          return api.watch(request, context);
        },
      }),
    });
    const greedy = await connect(served, 'greedy');
    const refused = Array.from({ length: 20 }, () => greedy.call(path));
    expect(await reasonsOf(refused, 20)).toEqual(Array(20).fill('LIMIT_REACHED'));
    await expect.poll(() => served.listening.receivingBytes).toBe(0);
    expect(opened).toBe(0);
    const other = (await connect(served, 'other')).call(path);
    other.stream.end(frame(Buffer.alloc(0)));
    await expect.poll(() => opened).toBe(1);
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
