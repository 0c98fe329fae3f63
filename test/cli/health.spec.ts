/** Tests `holdfast health`, the health check of containers. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { holdfast, project, start, within } from './command-server.ts';

it('holdfast health finds that a server over mutual TLS serves, without a certificate, and that it is gone afterwards', async () => {
  const cwd = project();
  await within(cwd, 'certs', 'init', '--dir', 'c');
  // The certificate names no loopback address, as that of a server behind a load balancer.
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--host', 'jobs.internal', '--dir', 'c');
  const files = ['--ca', 'c/ca.crt', '--cert', 'c/server.crt', '--key', 'c/server.key'];
  const argv = ['serve', '--json', '--port', '0', '--http-port', '0', '--store', 'memory:', ...files];
  const server = start(argv, { cwd });
  await server.until(/"grpcPort".*\n/);
  const { httpPort } = JSON.parse(server.out) as { readonly httpPort: number };
  const flags = ['health', '--http-port', String(httpPort)];
  expect(await holdfast(...flags, '--json')).toMatchObject({ code: 0, json: { serving: true, httpPort } });
  expect(await holdfast(...flags)).toMatchObject({ code: 0, out: `serving on 127.0.0.1:${httpPort}\n` });
  server.signal('SIGTERM');
  await server.exit;
  const gone = await holdfast(...flags, '--json');
  expect(gone).toMatchObject({ code: 5, json: { error: { code: 'UNAVAILABLE', reason: 'UNREACHABLE' } } });
});

it('holdfast health ends with status 5 for a server that answers that it does not serve', async () => {
  const listener = createServer((_, response) => response.writeHead(503).end('NOT_SERVING\n'));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const result = await holdfast('health', '--plaintext', '--http-port', String(port), '--json');
  expect(result).toMatchObject({ code: 5, json: { error: { reason: 'DRAINING' } } });
});
