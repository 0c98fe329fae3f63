/** The options of `holdfast serve` for a load balancer, on the command line and in the environment. */
import { expect, it } from 'vitest';
import { leafHeaders } from '../fixtures/leaf-header.ts';
import { frame, rawSession } from '../fixtures/raw-grpc.ts';
import { holdfast, project, start, within } from './command-server.ts';

const files = ['--ca', 'c/ca.crt', '--cert', 'c/server.crt', '--key', 'c/server.key'];
const anyPorts = ['--port', '0', '--http-port', '0'];

async function withCertificates(): Promise<string> {
  const cwd = project({});
  await within(cwd, 'certs', 'init', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'ada', '--dir', 'c');
  return cwd;
}

const one = ['--alb-from', '10.0.0.0/20'];

it.each<[problem: string, argv: readonly string[], message: string]>([
  ['a port without networks', [...files, '--alb-port', '0'], '--alb-port needs --alb-from'],
  ['networks without a port', [...files, ...one], '--alb-from is for the listener of --alb-port.'],
  [
    'a protocol without a port',
    [...files, '--alb-protocol', 'h2c'],
    '--alb-protocol is for the listener of --alb-port.',
  ],
  [
    'a server without certificates',
    ['--plaintext', '--alb-port', '0', ...one],
    '--alb-port needs --ca, --cert and --key',
  ],
  [
    'a server that was given certificates and --plaintext',
    [...files, '--plaintext', '--alb-port', '0', ...one],
    '--alb-port needs --ca, --cert and --key',
  ],
  [
    'another protocol',
    [...files, '--alb-port', '0', ...one, '--alb-protocol', 'http'],
    'Allowed choices are tls, h2c.',
  ],
  ['a port out of range', [...files, '--alb-port', '65536', ...one], 'Write a whole number from 0 to 65535.'],
  ['no network', [...files, '--alb-port', '0', '--alb-from', 'vpc'], "'vpc' is no network"],
  [
    'every address',
    [...files, '--alb-port', '0', '--alb-from', '10.0.0.0/8,0.0.0.0/0'],
    "'0.0.0.0/0' is every address.",
  ],
  [
    'a host in a network',
    [...files, '--alb-port', '0', '--alb-from', '10.0.0.1/8'],
    'has bits behind its prefix',
  ],
  [
    'very many networks',
    [
      ...files,
      '--alb-port',
      '0',
      '--alb-from',
      Array.from({ length: 51 }, (_, i) => `10.${i}.0.0/16`).join(','),
    ],
    'Write at most 50 networks.',
  ],
])('serve refuses %s with status 2 and a sentence', async (_, argv, message) => {
  const refused = await holdfast('serve', '--store', 'memory:', ...anyPorts, ...argv);
  expect([refused.code, refused.out]).toEqual([2, '']);
  expect(refused.err).toContain(message);
});

it.each(['tls', 'h2c'] as const)(
  'serve takes the options for a load balancer from the environment, prints its port, and shows what it refused (%s)',
  async (protocol) => {
    const cwd = await withCertificates();
    const env = {
      HOLDFAST_ALB_PORT: '0',
      HOLDFAST_ALB_FROM: '127.0.0.1/32, ::1/128',
      HOLDFAST_ALB_PROTOCOL: protocol,
    };
    const argv = ['serve', '--json', '--store', 'memory:', ...anyPorts, '--metrics-port', '0', ...files];
    const server = start(argv, { cwd, env });
    await server.until(/"grpcPort".*\n/);
    const { albPort, metricsPort } = JSON.parse(server.out) as { albPort: number; metricsPort: number };
    await using raw = await rawSession(
      `127.0.0.1:${albPort}`,
      protocol === 'tls' ? { ca: `${cwd}/c/ca.crt` } : undefined,
    );
    const listed = raw.call(
      '/holdfast.v1.AdminService/ListQueues',
      leafHeaders({ cert: `${cwd}/c/ada.crt` }),
    );
    listed.stream.end(frame(new Uint8Array(0)));
    expect(await listed.status).toMatchObject({ code: 0 });
    const forged = raw.call('/holdfast.v1.AdminService/ListQueues', { 'x-amzn-mtls-clientcert-leaf': 'x' });
    forged.stream.end(frame(new Uint8Array(0)));
    expect(await forged.status).toMatchObject({ code: 16, reason: 'CERTIFICATE_REFUSED' });
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(text).toContain('holdfast_header_refused_total{listener="alb",cause="certificate"} 1\n');
    expect(text).toContain('holdfast_header_refused_total{listener="alb",cause="network"} 0\n');
    expect(text).toContain('holdfast_header_refused_total{listener="grpc",cause="forged"} 0\n');
    server.signal('SIGTERM');
    expect(await server.exit).toBe(0);
  },
);

it('serve names the port for a load balancer in its text', async () => {
  const cwd = await withCertificates();
  const server = start(
    ['serve', '--store', 'memory:', ...anyPorts, ...files, '--alb-port', '0', '--alb-from', '127.0.0.0/8'],
    { cwd },
  );
  await server.until(/, gRPC for a load balancer on 127\.0\.0\.1:\d+\n/);
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
});
