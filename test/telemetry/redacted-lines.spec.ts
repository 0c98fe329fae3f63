/**
 * Runs a server and a worker as processes over mutual TLS at level debug, and looks for payloads, results, keys and
 * certificates in both forms of their lines and in the records that they export.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { connect, defineTask } from '../../src/index.ts';
import { project, type Started, start, within } from '../cli/command-server.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { otlpReceiver } from '../fixtures/otlp-receiver.ts';

const secret = 'S3CR3T';
const pay = defineTask('pay', {
  input: z.object({ card: z.string(), how: z.string() }),
  output: z.object({ receipt: z.string().max(12) }),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});

const module = `
import { defineTask, defineWorker, FatalError, handle } from 'holdfast';
import { z } from '${import.meta.resolve('zod')}';
const pay = defineTask('pay', {
  input: z.object({ card: z.string(), how: z.string() }),
  output: z.object({ receipt: z.string().max(12) }),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});
export default defineWorker({ handlers: [handle(pay, ({ how }, { log }) => {
  log.info({ how }, 'a line of the handler');
  if (how === 'returns') return { receipt: '${secret}-ok' };
  if (how === 'returns nonsense') return { receipt: '${secret} is too long a receipt' };
  if (how === 'is fatal') throw new FatalError('no such card');
  throw new TypeError('the bank is closed');
})] });
`;
const ends = ['returns', 'returns nonsense', 'is fatal', 'fails'];

/** Returns the lines of base64 of PEM files. The first ones of a certificate are alike in all, and also secret here. */
function pemLines(folder: string): string[] {
  const files = ['ca.crt', 'server.crt', 'server.key', 'ada.crt', 'ada.key'];
  return files.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .filter((line) => line.length >= 32 && !line.startsWith('-----')),
  );
}

it.each(['json', 'text'])(
  'no line of a server and a worker in the form %s, and no exported record, has a payload, a result, a key or a certificate',
  async (form) => {
    await using receiver = await otlpReceiver();
    const cwd = project({ 'worker.ts': module });
    await within(cwd, 'certs', 'init', '--dir', 'c');
    await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--dir', 'c');
    await within(cwd, 'certs', 'issue', 'ada', '--dir', 'c');
    const at = (file: string): string => join(cwd, 'c', file);
    const env = {
      ...{ HOLDFAST_LOG: 'debug', HOLDFAST_LOG_FORMAT: form },
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.endpoint}/v1/logs`,
    };
    const files = ['--ca', at('ca.crt'), '--cert', at('server.crt'), '--key', at('server.key')];
    const serve = ['serve', '--json', '--store', 'memory:', '--port', '0', '--http-port', '0', ...files];
    const server = start(serve, { cwd, env });
    await server.until(/\n/);
    const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
    const url = `holdfast://127.0.0.1:${grpcPort}`;
    const identity = { HOLDFAST_CA: at('ca.crt'), HOLDFAST_CERT: at('ada.crt'), HOLDFAST_KEY: at('ada.key') };
    const worker = start(['worker', 'worker.ts', '--json', '--url', url], {
      cwd,
      env: { ...env, ...identity },
    });
    await worker.until(/\n/);
    const tls = { ca: at('ca.crt'), cert: at('ada.crt'), key: at('ada.key') };
    const client = connect(url, { tls, log: recordingLog() as never });
    for (const how of ends) {
      const key = { idempotencyKey: `${secret}-${how}` };
      const task = await client.submit(pay, { card: `${secret}-1234`, how }, key);
      await task.result().catch(() => {});
      // The same key with another payload is refused.
      await client.submit(pay, { card: secret, how }, key).catch(() => {});
    }
    await client.close();
    for (const process of [worker, server] satisfies Started[]) {
      process.signal('SIGTERM');
      expect(await process.exit).toBe(0);
    }
    const bodies = receiver.logs.map(({ body }) => body);
    expect(bodies).toContain('an attempt failed');
    expect(bodies.filter((body) => body === 'a line of the handler').length).toBeGreaterThanOrEqual(4);
    expect(new Set(receiver.logs.map(({ resource }) => resource['service.name'])).size).toBe(2);
    const secrets = [secret, Buffer.from(secret).toString('base64').slice(0, 8), ...pemLines(join(cwd, 'c'))];
    expect(secrets.length).toBeGreaterThan(20);
    const written = [server.err, worker.err, JSON.stringify(receiver.logs)];
    expect(server.err.length).toBeGreaterThan(0);
    expect(worker.err).toMatch(form === 'json' ? /^\{"level":30,/m : /^\d\d:\d\d:\d\d\.\d{3} info /m);
    for (const text of written) expect(secrets.filter((one) => text.includes(one))).toEqual([]);
  },
  60_000,
);
