import { fileURLToPath } from 'node:url';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { Submitter } from '../../../src/client/submit/submitter.ts';
import type { Outgoing } from '../../../src/client/transport.ts';
import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import type { Assignment, ReportRequest, Settlement, SubmitItem } from '../../../src/core/messages.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { type Peer, payloadText } from '../peer.ts';
import { listening } from '../programs.ts';
import { startServer } from '../tied-server.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const bytes = new TextEncoder().encode(payloadText);
const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
const spec = encodeSpec({ type: 'noop', typeVersion: 1, orderingKey: undefined, payload });
const prefetch = 256;
const reportItems = 100;

function transportOf(address: string) {
  const { host, tls } = JSON.parse(address) as {
    host: string;
    tls: { ca: string; cert: string; key: string };
  };
  return grpcTransport({ address: host, tls, clock: systemClock() });
}

let keys = 0;
const item = (): SubmitItem => ({
  ...{
    key: `k${process.pid}-${String(keys++).padStart(10, '0')}`,
    spec,
    options: noOptions,
    traceparent: '',
  },
});

function settlementOf({ lease }: Assignment): Settlement {
  const parts = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: false };
  return { lease, outcome: 'succeeded', ...parts };
}

export const holdfast: Peer = {
  name: 'holdfast',
  isSynced: true,
  kind: 'queue',
  settlement: 'confirmed',
  settings: [
    { setting: 'mutual TLS, SQLite with a sync for each commit', source: 'the defaults of holdfast serve' },
    { setting: `${prefetch} credits`, source: 'concurrency 64 and the prefetch of the SDK' },
  ],
  async start({ folder, freePort }) {
    const [port, httpPort] = [await freePort(), await freePort()];
    await initAuthority(folder, Date.now());
    const { ca, cert, key } = await issue(folder, { name: 'server', kind: 'server' }, Date.now());
    const client = await issue(folder, { name: 'bench', kind: 'client' }, Date.now());
    const program = startServer(
      [
        ...[process.execPath, main, 'serve', '--store', `file:${folder}/queue.db`],
        ...[
          '--port',
          String(port),
          '--http-port',
          String(httpPort),
          '--ca',
          ca,
          '--cert',
          cert,
          '--key',
          key,
        ],
      ],
      { HOLDFAST_LOG: 'error' },
    );
    await listening(port, program);
    const address = JSON.stringify({ host: `127.0.0.1:${port}`, tls: client });
    return { address, stop: () => program.end() };
  },
  async connect(address) {
    const transport = transportOf(address);
    const submitter = new Submitter({ transport, clock: systemClock(), tenant: '', retryForMs: 30_000 });
    return {
      submit: (queue) => submitter.submit(queue, item()),
      async submitBatch(queue, count) {
        const items = Array.from({ length: count }, item);
        const { results } = await transport.submit({ tenant: '', queue, items }, {});
        for (const { error } of results) if (error !== undefined) throw new Error(error.message);
      },
      close: () => transport.close(),
    };
  },
  async work(address, queue, events, inFlight = prefetch) {
    const transport = transportOf(address);
    let batch = 0;
    let report: Outgoing<ReportRequest>;
    const open = Promise.withResolvers<void>();
    const end = (): void => {};
    const work = transport.work({
      message(message) {
        if (message.kind === 'welcome') {
          report = transport.report({
            message: (answer) => {
              if (answer.kind === 'settled') events.settled(answer.results.length);
            },
            end,
          });
          report.send({ kind: 'hello', sessionId: message.sessionId, workerId: 'bench', tenant: '' });
          open.resolve();
        } else if (message.kind === 'assignments') {
          events.began();
          work.send({ kind: 'received', seq: message.seq, begun: [], attempts: [], kept: [] });
          const items = message.tasks.map(settlementOf);
          for (let i = 0; i < items.length; i += reportItems) {
            report.send({ kind: 'settlements', batch: ++batch, items: items.slice(i, i + reportItems) });
          }
        }
      },
      end,
    });
    const types = [{ type: 'noop', maxVersion: 1 }];
    const hello = { tenant: '', workerName: 'bench', workerId: 'bench', queues: [queue], types };
    work.send({ kind: 'hello', ...hello, tasks: inFlight, bytes: 8_000_000, reportsBegun: false });
    await open.promise;
    return { close: () => transport.close() };
  },
};
