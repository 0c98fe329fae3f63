/** Tests `holdfast slo` against a server that answers in the form of Prometheus; `npm run alerts` asks a real one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import { holdfast } from './command-server.ts';

afterEach(() => void vi.unstubAllEnvs());

type Answering = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

const handling = (answer: Answering) => (request: IncomingMessage, response: ServerResponse) => {
  let body = '';
  request.on('data', (part) => {
    body += part;
  });
  request.on('end', () => answer(request, response, body));
};

async function prometheus(answer: Answering): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(handling(answer)))}`;
}

const series = (name: string, value: string) => ({
  metric: { __name__: name, sloth_slo: 'api-availability', sloth_service: 'holdfast' },
  value: [1_781_000_000, value],
});
const result = [
  series('slo:objective:ratio', '0.999'),
  series('slo:sli_error:ratio_rate5m', '0.02'),
  series('slo:sli_error:ratio_rate1h', '0.016'),
  series('slo:sli_error:ratio_rate6h', 'NaN'),
  series('slo:sli_error:ratio_rate30d', '0.0000462962'),
];
const good = JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });

describe('holdfast slo', () => {
  it('prints target, budget spent and left, burn rates and alerts of an objective from Prometheus', async () => {
    const queries: string[] = [];
    const url = await prometheus(({ url: path }, response, body) => {
      queries.push(`${path} ${new URLSearchParams(body).get('query')}`);
      response.end(good);
    });
    vi.stubEnv('HOLDFAST_PROMETHEUS_URL', `${url}/prefix`);
    const { code, out } = await holdfast('slo');
    expect(code).toBe(0);
    expect(out).toMatch(/^OBJECTIVE +TARGET +SPENT +LEFT +BURN 5M +BURN 1H +BURN 6H .*ALERTS$/m);
    expect(out).toMatch(/^api-availability +99\.9 % +4\.63 % +95\.37 % +20× +16× +– +– +– +FastBudgetBurn$/m);
    expect(queries).toEqual([expect.stringMatching(/^\/prefix\/api\/v1\/query .*sloth_service="holdfast"/)]);
    const { json } = await holdfast('slo', '--prometheus', url, '--json');
    expect(json).toMatchObject({
      prometheus: url,
      periodMs: 2_592_000_000,
      objectives: [{ name: 'api-availability', target: 0.999, alerts: ['FastBudgetBurn'] }],
    });
    expect(json.objectives[0].burn['5m']).toBeCloseTo(20, 6);
  });

  it('says in one sentence that Prometheus gives no answer, refuses, is not ready or is something else', async () => {
    const gone = await holdfast('slo', '--prometheus', 'http://127.0.0.1:9');
    expect(gone.code).toBe(5);
    expect(gone.err).toMatch(/Prometheus at http:\/\/127\.0\.0\.1:9 cannot be reached \(ECONNREFUSED\)/);
    const cases: readonly [Answering, number, RegExp][] = [
      [(_, response) => response.writeHead(401).end(), 6, /refuses these credentials \(401\)/],
      [(_, response) => response.writeHead(503).end('starting'), 5, /is not ready: it answered 503/],
      [
        (_, response) => response.writeHead(404).end('<html>'),
        2,
        /gave no answer of Prometheus's API \(404\)/,
      ],
      [(_, response) => response.end('[1]'), 2, /gave no answer of Prometheus's API \(200\)/],
      [(_, response) => response.end('{"status":"success","data":{"result":[]}}'), 2, /has no series of the/],
      [(_, response) => response.end(Buffer.alloc(9 * 1_048_576)), 5, /answered with more than 8 MiB/],
      [
        (_, response) => {
          response.writeHead(200, { 'content-length': '100' });
          response.write('{', () => response.destroy());
        },
        5,
        /ended its answer too early/,
      ],
    ];
    for (const [answer, exit, sentence] of cases) {
      const { code, err } = await holdfast('slo', '--prometheus', await prometheus(answer));
      expect([code, err]).toEqual([exit, expect.stringMatching(sentence)]);
    }
  });

  it('sends the headers of the environment over TLS by the given authority, and prints no secret', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-slo-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    await initAuthority(dir, Date.now());
    const files = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
    const identity = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    const answer: Answering = ({ headers }, response) =>
      response.writeHead(headers.authorization === 'Bearer a b' ? 200 : 403).end(good);
    const port = await listen(createTlsServer(identity, handling(answer)));
    vi.stubEnv('HOLDFAST_PROMETHEUS_URL', `https://ada:secret@localhost:${port}`);
    expect((await holdfast('slo')).err).toMatch(/cannot be reached \(\w*(CERT|SIGNATURE)\w*\)/);
    vi.stubEnv('HOLDFAST_PROMETHEUS_CA', files.ca);
    const refused = await holdfast('slo');
    expect([refused.code, refused.err]).toEqual([6, expect.stringContaining('HOLDFAST_PROMETHEUS_HEADERS')]);
    expect(refused.err).not.toContain('secret');
    vi.stubEnv('HOLDFAST_PROMETHEUS_HEADERS', 'authorization=Bearer%20a%20b,x-tenant=eu');
    const { code, json } = await holdfast('slo', '--json');
    expect([code, json.prometheus]).toEqual([0, `https://localhost:${port}`]);
    vi.stubEnv('HOLDFAST_PROMETHEUS_HEADERS', 'secret value');
    const malformed = await holdfast('slo');
    expect([malformed.code, malformed.err]).toEqual([2, expect.stringContaining('is no list of headers')]);
    expect(malformed.err).not.toContain('secret value');
    vi.stubEnv('HOLDFAST_PROMETHEUS_HEADERS', '');
    vi.stubEnv('HOLDFAST_PROMETHEUS_CA', join(dir, 'none.pem'));
    expect((await holdfast('slo')).err).toContain('HOLDFAST_PROMETHEUS_CA names a file that cannot be read');
    writeFileSync(join(dir, 'bad.pem'), 'no certificate');
    vi.stubEnv('HOLDFAST_PROMETHEUS_CA', join(dir, 'bad.pem'));
    expect((await holdfast('slo')).code).toBe(5);
  });

  it('computes the cost of an outage without any Prometheus', async () => {
    const { code, out } = await holdfast('slo', '--downtime', '2m');
    expect(code).toBe(0);
    expect(out).toBe(
      '2 min down are 12 of 259,200 slots: 4.63 % of 43.2 minutes, the budget of 99.9 % within 30 days.\n',
    );
    expect((await holdfast('slo', '--downtime', '2m', '--json')).json).toMatchObject({
      downtimeMs: 120_000,
      badSlots: { least: 12, most: 12 },
      slots: 259_200,
      budgetMs: 2_592_000,
      usedPercent: '4.63',
    });
    expect((await holdfast('slo', '--downtime', '25s')).out).toMatch(
      /^25 s down are 2 or 3 of 259,200 slots: 0\.96 %/,
    );
  });

  it('refuses a length that is none or longer than the period, a URL that is none, and no URL at all', async () => {
    vi.stubEnv('HOLDFAST_PROMETHEUS_URL', '');
    const refusals: readonly [readonly string[], RegExp][] = [
      [['--downtime', '2 minutes'], /Write a number and one of ms, s, m, h, d/],
      [['--downtime', '120'], /Write a number and one of ms, s, m, h, d/],
      [['--downtime', '31d'], /Write at most 30d, the period of the objectives/],
      [['--downtime', '2m', '--prometheus', 'http://127.0.0.1:9'], /computed without Prometheus/],
      [['--prometheus', 'localhost:9090'], /is no http or https URL/],
      [[], /No Prometheus is named/],
    ];
    for (const [argv, sentence] of refusals) {
      const { code, err } = await holdfast('slo', ...argv);
      expect([argv, code, err]).toEqual([argv, 2, expect.stringMatching(sentence)]);
    }
  });
});
