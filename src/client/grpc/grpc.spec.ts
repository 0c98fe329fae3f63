import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { item, specOf } from '../../../test/fixtures/api-node.ts';
import { startListeningNode } from '../../../test/fixtures/listening-node.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { ReportResponse, SubmitBatch, SubmitOk, WorkResponse } from '../../core/messages.ts';
import { TaskService, WatchTasksRequestSchema } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { StreamEvents } from '../transport.ts';

const batch = (...keys: string[]): SubmitBatch => ({
  tenant: '',
  queue: 'q',
  items: keys.map((key) => item(key)),
});

/** Collects the messages of a stream. `first` waits for the first message of a kind. */
class Inbox<M extends { readonly kind: string }> implements StreamEvents<M> {
  readonly messages: M[] = [];
  readonly ended = Promise.withResolvers<HoldfastError | undefined>();
  #changed = Promise.withResolvers<void>();
  #isEnded = false;

  message(message: M): void {
    this.messages.push(message);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  end(error: HoldfastError | undefined): void {
    this.#isEnded = true;
    this.ended.resolve(error);
    this.#changed.resolve();
  }

  async first<K extends M['kind']>(kind: K): Promise<Extract<M, { readonly kind: K }>> {
    for (;;) {
      const found = this.messages.find((m) => m.kind === kind);
      if (found !== undefined) return found as Extract<M, { readonly kind: K }>;
      if (this.#isEnded) throw new Error(`the stream ended without a message of the kind '${kind}'`);
      await this.#changed.promise;
    }
  }
}

describe('the gRPC transport over mutual TLS', () => {
  it('submits, assigns, renews and settles tasks, each message with its own codec', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const { results } = await client.submit(batch('a', 'b', 'a'), { timeoutMs: 5_000 });
    const ids = results.map((r) => (r as SubmitOk).id);
    expect(results.map((r) => (r as SubmitOk).deduplicated)).toEqual([false, false, true]);

    const work = new Inbox<WorkResponse>();
    const assigned = client.work(work);
    const workerId = crypto.randomUUID();
    const types = [{ type: 'note', maxVersion: 1 }];
    assigned.send({
      kind: 'hello',
      tenant: '',
      workerName: 'w',
      workerId,
      queues: ['q'],
      types,
      tasks: 10,
      bytes: 1_000_000,
      reportsBegun: true,
    });
    const { sessionId } = await work.first('welcome');
    const { seq, tasks } = await work.first('assignments');
    assigned.send({ kind: 'received', seq, begun: [], attempts: [], kept: [] });
    expect(tasks[0]).toMatchObject({ id: ids[0], key: 'a', attempt: 1, queue: 'q', tenant: 'default' });
    expect(Buffer.from(tasks[0]?.spec ?? []).equals(specOf())).toBe(true);

    const report = new Inbox<ReportResponse>();
    const settled = client.report(report);
    settled.send({ kind: 'hello', sessionId, workerId, tenant: '' });
    const lease = tasks[0]?.lease ?? new Uint8Array();
    settled.send({ kind: 'heartbeats', batch: 1, items: [{ lease, begun: true, progress: undefined }] });
    expect((await report.first('heartbeats')).answers).toEqual([
      { verdict: 'renewed', leaseMs: expect.closeTo(30_000, -3) },
    ]);
    settled.send({
      kind: 'settlements',
      batch: 2,
      items: [
        {
          lease,
          outcome: 'succeeded',
          result: undefined,
          message: '',
          errorType: '',
          afterMs: undefined,
          begun: false,
        },
      ],
    });
    expect(await report.first('settled')).toMatchObject({
      batch: 2,
      credited: true,
      results: [{ state: 'succeeded' }],
    });
    const { task } = await client.call(TaskService.method.getTask, { id: ids[0] ?? '' }, {});
    expect(task?.state).toBe(4);
    settled.end();
    assigned.end();
    expect(await Promise.all([work.ended.promise, report.ended.promise])).toEqual([undefined, undefined]);
  });

  it('keeps the code, reason, help, task id and violations of an error', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const { results } = await client.submit(batch('a'), {});
    const id = (results[0] as SubmitOk).id;
    await expect(client.call(TaskService.method.redriveTask, { id }, {})).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'NOT_DEAD',
      taskId: id,
      help: expect.stringMatching(/./),
    });
    await expect(client.submit(batch(), {})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'BAD_FIELD',
      violations: [{ field: 'items' }],
    });
  });

  it('yields the events of a watched task and ends the watch when the task has ended', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const { results } = await client.submit(batch('a'), {});
    const id = (results[0] as SubmitOk).id;
    const request = create(WatchTasksRequestSchema, { tasks: [{ id }, { id: 'none' }] });
    const seen: unknown[] = [];
    for await (const { update, error } of client.watch(request, {})) {
      seen.push(error?.reason ?? update?.update.case);
      if (seen.length === 2) await client.call(TaskService.method.cancelTask, { id }, {});
    }
    expect(seen.sort()).toEqual(['TASK_NOT_FOUND', 'event', 'event']);
  });

  it('ends a watch at the server when the caller leaves the loop early', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const { results } = await client.submit(batch('a'), {});
    const id = (results[0] as SubmitOk).id;
    for await (const _ of client.watch(create(WatchTasksRequestSchema, { tasks: [{ id }] }), {})) break;
    await expect.poll(() => served.api.openStreams).toBe(0);
  });

  it('rejects an aborted call with ABANDONED and a call past its timeout with DEADLINE_EXCEEDED', async () => {
    await using served = await startListeningNode({
      wrap: (api) => ({ ...api, submit: () => new Promise(() => {}) }),
    });
    const client = await served.client();
    const signal = AbortSignal.timeout(50);
    await expect(client.submit(batch('a'), { signal })).rejects.toMatchObject({ reason: 'ABANDONED' });
    await expect(client.submit(batch('a'), { signal })).rejects.toMatchObject({ reason: 'ABANDONED' });
    await expect(client.submit(batch('a'), { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      reason: 'TIMED_OUT',
    });
  });

  it('sends the deadline and the trace of a call to the server, and the cancellation of the call', async () => {
    const received = Promise.withResolvers<{
      notAfterMs: number | undefined;
      traceparent: string;
      atMs: number;
    }>();
    const left = Promise.withResolvers<void>();
    await using served = await startListeningNode({
      wrap: (api) => ({
        ...api,
        submit(_, { notAfterMs, traceparent, signal }) {
          received.resolve({ notAfterMs, traceparent, atMs: served.clock.monotonic() });
          signal.addEventListener('abort', () => left.resolve());
          return new Promise(() => {});
        },
      }),
    });
    const client = await served.client();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-03`;
    const stop = new AbortController();
    const sentAtMs = served.clock.monotonic();
    const call = client.submit(batch('a'), { timeoutMs: 5_000, traceparent, signal: stop.signal });
    const { notAfterMs, atMs, ...rest } = await received.promise;
    expect(rest).toEqual({ traceparent });
    // The time left is sent in whole ms.
    expect(notAfterMs).toBeGreaterThan(sentAtMs + 5_000 - 2);
    expect(notAfterMs).toBeLessThan(atMs + 5_000 + 2);
    stop.abort();
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    await left.promise;
  });

  it('refuses a message above the size limit before it sends it', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const many = Array.from({ length: 6 }, (_, i) => item(`k${i}`, { spec: new Uint8Array(200_000) }));
    await expect(client.submit({ tenant: '', queue: 'q', items: many }, {})).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'TOO_LARGE',
      message: expect.stringContaining('at most 1,048,576 are taken'),
    });
  });

  it('signals a full send buffer by the result of `send`, and an empty send buffer by `drained()`, which then resolves', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const work = new Inbox<WorkResponse>();
    const out = client.work(work);
    const hello = { kind: 'hello', tenant: 't'.repeat(200_000), workerName: '', workerId: '' } as const;
    const send = () => out.send({ ...hello, queues: [], types: [], tasks: 0, bytes: 0, reportsBegun: true });
    expect([send(), send()]).toEqual([true, false]);
    await out.drained();
    expect(await work.ended.promise).toMatchObject({ reason: 'BAD_FIELD' });
    expect(send()).toBe(true);
    await out.drained();
  });

  it('ends a stream on both sides and reports the end once when the client aborts the stream', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const report = new Inbox<ReportResponse>();
    const out = client.report(report);
    await expect.poll(() => served.api.openStreams).toBe(1);
    out.abort();
    expect(await report.ended.promise).toMatchObject({ code: 'CANCELLED' });
    await expect.poll(() => served.api.openStreams).toBe(0);
  });

  it('ends the open streams on both sides when the client is closed', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const report = new Inbox<ReportResponse>();
    const work = new Inbox<WorkResponse>();
    client.report(report);
    const hello = { kind: 'hello', tenant: '', workerName: 'w', workerId: '1', reportsBegun: true } as const;
    client
      .work(work)
      .send({ ...hello, queues: ['q'], types: [{ type: 't', maxVersion: 1 }], tasks: 0, bytes: 0 });
    await expect.poll(() => served.api.openStreams).toBe(2);
    await client.close();
    expect(await report.ended.promise).toMatchObject({ code: 'CANCELLED' });
    expect(await work.ended.promise).toMatchObject({ code: 'CANCELLED' });
    await expect.poll(() => served.api.openStreams).toBe(0);
  });

  it('shares one connection among all clients of a process', async () => {
    await using served = await startListeningNode();
    const tls = await served.authority.issue('alice', 'client');
    const clients = await Promise.all([1, 2, 3].map(() => served.client('alice', { tls })));
    await Promise.all(clients.map((client) => client.submit(batch('a'), {})));
    await clients[0]?.close();
    await clients[0]?.close();
    await clients[1]?.submit(batch('a'), {});
    expect(served.listening.connections).toBe(1);
  });

  it('does not keep a script alive that waits for no call', async () => {
    await using served = await startListeningNode();
    const tls = await served.authority.issue('script', 'client');
    const script = join(served.authority.dir, 'script.mjs');
    const source = (path: string): string => JSON.stringify(resolve('src', path));
    writeFileSync(
      script,
      `import { grpcTransport } from ${source('client/grpc/transport.ts')};
       import { systemClock } from ${source('platform/clock.ts')};
       const clock = systemClock();
       const client = grpcTransport({ address: '${served.address}', tls: ${JSON.stringify(tls)}, clock });
       console.log((await client.submit({ tenant: '', queue: 'q', items: [] }, {}).catch((e) => e)).reason);`,
    );
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
    });
    const [code] = await once(child, 'close');
    expect([code, out]).toEqual([0, 'BAD_FIELD\n']);
  });

  it('lets a script end that has closed its client, although its server stands still', async () => {
    const server = createServer();
    const opened = once(server, 'stream');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const source = (path: string): string => JSON.stringify(resolve('src', path));
    const program = `import { grpcTransport } from ${source('client/grpc/transport.ts')};
      import { systemClock } from ${source('platform/clock.ts')};
      const clock = systemClock();
      const client = grpcTransport({ address: '127.0.0.1:${port}', plaintext: true, clock });
      const out = client.report({ message() {}, end() { console.log('ended'); } });
      out.end();
      process.on('message', () => { process.disconnect(); void client.close(); });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let out = '';
    child.stdout?.on('data', (text) => {
      out += text;
    });
    await opened;
    child.send('close');
    const [code] = await once(child, 'close');
    server.close();
    expect([code, out]).toEqual([0, 'ended\n']);
  });
});
