/** Tests `holdfast why` with stores of traces and log lines: real HTTP servers that answer in the documented forms. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const payload = { contentType: 'application/json', bytes: btoa('1') };
const variables = ['TRACES_URL', 'TRACES_HEADERS', 'TRACES_CA', 'LOGS_URL', 'LOGS_HEADERS', 'TRACE_LINK'];
let server: ExplainedServer;
/** A task whose first attempt failed. */
let id: string;
let failedAtMs: number;

beforeAll(async () => {
  server = await startExplainedServer(systemClock());
  const spec = { type: 'pdf', typeVersion: 1, payload };
  // The wait is random between 0 and this base, so the base is so long that the next attempt never begins here.
  const retry = { maxAttempts: 5, baseMs: 2_000_000_000, factor: 2, maxMs: 2_000_000_000 };
  const item = {
    idempotencyKey: 'k',
    spec,
    options: { retry },
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  };
  ({ id } = (await post('TaskService/SubmitTask', { queue: 'mail', item })).task);
  const worker = { workerName: 'crawler', workerId: '7', queues: ['mail'], types: [{ type: 'pdf' }] };
  const { tasks } = await post('WorkerService/ClaimTasks', worker);
  const failure = { reason: 'FAIL_REASON_RETRY', message: 'no route to host', errorType: 'ConnectError' };
  await post('WorkerService/FailTask', { lease: tasks[0].lease, ...failure });
  failedAtMs = Date.now();
});
afterAll(() => server.close());
afterEach(() => {
  for (const name of variables) delete process.env[`HOLDFAST_${name}`];
});

const post = (method: string, request: object) => server.post(method, request);

function why(env: Readonly<Record<string, string>>, ...argv: readonly string[]) {
  for (const [name, value] of Object.entries(env)) process.env[`HOLDFAST_${name}`] = value;
  return server.command('why', id, ...argv);
}

interface Seen {
  readonly request: IncomingMessage;
  readonly body: string;
}

interface Backend {
  readonly url: string;
  readonly seen: Seen[];
}

type Answer = (seen: Seen) => { readonly status?: number; readonly body: string } | undefined;

/** Starts an HTTP server on a free port of loopback. It leaves a request open for which there is no answer. */
async function backend(
  answer: Answer,
  tls?: { readonly key: string; readonly cert: string },
): Promise<Backend> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      seen.push({ request, body });
      const answered = answer({ request, body });
      if (answered !== undefined) response.writeHead(answered.status ?? 200).end(answered.body);
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const nanos = (ms: number): string => `${ms}000000`;
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

/** The spans of a trace as OTLP JSON: a submission, and an attempt that failed. */
function resourceSpans(): object[] {
  const submit = {
    ...{ traceId, spanId: 'aa', name: 'submit mail', startTimeUnixNano: nanos(failedAtMs - 100) },
    ...{ endTimeUnixNano: nanos(failedAtMs - 90), status: {} },
  };
  const attempt = {
    ...{ traceId, spanId: 'bb', parentSpanId: 'aa', name: 'process mail' },
    ...{ startTimeUnixNano: nanos(failedAtMs - 50), endTimeUnixNano: nanos(failedAtMs) },
    status: { code: 2 },
    events: [{ name: 'exception', attributes: [attribute('exception.message', 'no route to host')] }],
  };
  const of = (service: string, span: object) => ({
    resource: { attributes: [attribute('service.name', service)] },
    scopeSpans: [{ scope: { name: 'holdfast' }, spans: [span] }],
  });
  return [of('crawler', attempt), of('api', submit)];
}

const jsonLine = (more: object) => JSON.stringify(more);
const isoAt = (ms: number): string => new Date(ms).toISOString();

/** Lines as VictoriaLogs keeps them: one of the attempt that failed, one about another error, and one of no error. */
function victoriaLines(): string {
  const lines = [
    {
      _time: isoAt(failedAtMs - 20),
      _msg: 'attempt began',
      severity_text: 'INFO',
      'service.name': 'crawler',
    },
    {
      ...{ _time: isoAt(failedAtMs), _msg: 'attempt failed: no route to host', severity_text: 'ERROR' },
      ...{ 'service.name': 'crawler', task_id: id, attempt: '1' },
    },
    { _time: isoAt(failedAtMs + 500), _msg: 'slow disk', severity_text: 'WARN', 'service.name': 'api' },
  ];
  return lines.map(jsonLine).join('\n');
}

describe('holdfast why', () => {
  it('prints the links of the configured templates and the queries to paste, without any back end', async () => {
    const grafana = 'https://grafana.example/explore?left={%22query%22:%22{traceId}%22}';
    const TRACE_LINK = `jaeger=http://127.0.0.1:16686/trace/{traceId} ${grafana} ftp://x/{traceId} http://no-id`;
    const { code, out, err } = await why({ TRACE_LINK });
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^link +jaeger http://127\\.0\\.0\\.1:16686/trace/${traceId}$`, 'm'));
    expect(out).toContain(
      `grafana.example https://grafana.example/explore?left={%22query%22:%22${traceId}%22}`,
    );
    expect(out).toContain(`{service_name=~".+"} | task_id="${id}" or trace_id="${traceId}"`);
    expect(out).toContain(`task_id:="${id}" or trace_id:="${traceId}"`);
    expect(err).toContain("HOLDFAST_TRACE_LINK: 'ftp://x/{traceId}' is no template");
    expect(err).toContain("HOLDFAST_TRACE_LINK: 'http://no-id' is no template");
    const { json } = await why({}, '--json');
    expect(json.links[0]).toEqual({ name: 'jaeger', url: `http://127.0.0.1:16686/trace/${traceId}` });
    expect(json.spans).toBeUndefined();
  });

  /** The paths of the searches for a task, without their times. */
  const searchOf = {
    jaeger: ['holdfast-server', 'holdfast-worker'].map(
      (service) => `/api/traces?service=${service}&tags={"holdfast.task.id":"ID"}&limit=20`,
    ),
    tempo: ['/api/search?q={ span.holdfast.task.id = "ID" }&limit=20'],
  };

  it.each([
    ['jaeger', '/api/v3/traces/', () => ({ result: { resourceSpans: resourceSpans() } })],
    ['tempo', '/api/v2/traces/', () => ({ trace: { resourceSpans: resourceSpans() }, metrics: {} })],
  ])('shows the spans of a trace from %s, and names the one that failed', async (kind, path, answer) => {
    const traces = await backend(() => ({ body: JSON.stringify(answer()) }));
    const env = {
      TRACES_URL: `${kind}+${traces.url}/`,
      TRACES_HEADERS: 'authorization=Bearer%20abc, x-scope-orgid=7',
    };
    const { code, out, err } = await why(env);
    expect([code, err]).toEqual([0, '']);
    expect(traces.seen.map(({ request }) => shown(request.url))).toEqual([
      `${path}${traceId}`,
      ...searchOf[kind as 'jaeger'],
    ]);
    const [{ request } = { request: undefined }] = traces.seen;
    expect(request?.headers).toMatchObject({ authorization: 'Bearer abc', 'x-scope-orgid': '7' });
    expect(out).toMatch(/^culprit +\S+Z crawler span: process mail: no route to host$/m);
    expect(out).toMatch(/^ {2}\S+Z {2}submit mail \(api\) 10 ms$/m);
    expect(out).toMatch(/^ {2}\S+Z {4}process mail \(crawler\) 50 ms {2}ERROR: no route to host$/m);
    expect(out.split('\n').length).toBeLessThan(35);
  });

  /** Returns a path with its escapes read, the task's id as ID, and without its times, which must be around the failure. */
  function shown(path = ''): string {
    const url = new URL(path, 'http://store');
    for (const [name, isEarlier] of [
      ['start', true],
      ['end', false],
    ] as const) {
      const digits = url.searchParams.get(name);
      if (digits === null) continue;
      // Jaeger counts in µs, Tempo in seconds.
      const ms = digits.length > 12 ? Number(digits) / 1_000 : Number(digits) * 1_000;
      expect(ms < failedAtMs).toBe(isEarlier);
      url.searchParams.delete(name);
    }
    return decodeURIComponent(`${url.pathname}${url.search}`.replaceAll('+', ' ')).replace(id, 'ID');
  }

  const laterId = '0af7651916cd43dd8448eb211c80319c';

  it.each([
    [
      'jaeger',
      (ids: readonly string[]) => ({
        data: ids.map((traceID, i) => ({ traceID, spans: [{ startTime: (failedAtMs + i) * 1_000 }] })),
      }),
    ],
    [
      'tempo',
      (ids: readonly string[]) => ({
        traces: ids.map((traceID, i) => ({
          // Tempo leaves out zeros at the beginning.
          traceID: traceID.replace(/^0+/, ''),
          startTimeUnixNano: nanos(failedAtMs + i),
        })),
      }),
    ],
  ])('finds later attempts by a search of %s, and reads the five newest traces', async (kind, answer) => {
    const found = ['1', '2', '3', '4', '5', laterId, traceId, '../x'];
    const padded = found.map((one) => (one.length === 1 ? one.padStart(32, '0') : one));
    const traces = await backend(({ request }) => {
      const { pathname } = new URL(request.url ?? '', 'http://store');
      if (!/v[23]/.test(pathname)) return { body: JSON.stringify(answer(padded)) };
      if (!pathname.endsWith(laterId)) return { status: 404, body: '{}' };
      return {
        body: JSON.stringify({
          [kind === 'jaeger' ? 'result' : 'trace']: { resourceSpans: resourceSpans() },
        }),
      };
    });
    const { json } = await why({ TRACES_URL: `${kind}+${traces.url}` }, '--json');
    expect(json.backendFaults).toEqual([]);
    const read = traces.seen.flatMap(
      ({ request }) => /v[23]\/traces\/(.*)$/.exec(request.url ?? '')?.[1] ?? [],
    );
    expect(read).toEqual([traceId, laterId, ...['5', '4', '3', '2'].map((one) => one.padStart(32, '0'))]);
    expect(json.spans).toHaveLength(2);
    expect(json.culprit).toMatchObject({ from: 'span', text: 'process mail: no route to host' });
  });

  it('never names the span or the line of another task, which the same request submitted', async () => {
    const spans = resourceSpans().map((one) =>
      JSON.parse(JSON.stringify(one).replace('"status":{"code":2}', '"status":{"code":2},"attributes":[]')),
    );
    spans[0].scopeSpans[0].spans[0].attributes = [attribute('holdfast.task.id', 'another')];
    const traces = await backend(() => ({ body: JSON.stringify({ result: { resourceSpans: spans } }) }));
    const line = { _time: isoAt(failedAtMs), _msg: 'no route to host', level: 'error', task_id: 'another' };
    const logs = await backend(() => ({ body: jsonLine(line) }));
    const { json } = await why({ TRACES_URL: traces.url, LOGS_URL: logs.url }, '--json');
    expect(json.spans).toHaveLength(2);
    expect(json.lines).toHaveLength(1);
    expect(json.culprit).toBeUndefined();
  });

  it('shows the lines of VictoriaLogs, and names the error line of the last failed attempt', async () => {
    const logs = await backend(() => ({ body: victoriaLines() }));
    const { out, err } = await why({ LOGS_URL: logs.url });
    expect(err).toBe('');
    const [{ request, body } = { request: undefined, body: '' }] = logs.seen;
    expect([request?.method, request?.url]).toEqual(['POST', '/select/logsql/query']);
    const form = new URLSearchParams(body);
    expect(form.get('query')).toBe(
      `task_id:="${id}" or trace_id:="${traceId}" | sort by (_time desc) | limit 200`,
    );
    expect(Date.parse(form.get('start') ?? '')).toBeLessThan(failedAtMs);
    expect(Date.parse(form.get('end') ?? '')).toBeGreaterThan(failedAtMs);
    expect(out).toMatch(/^culprit +\S+Z crawler log: attempt failed: no route to host$/m);
    expect(out).toMatch(/^ {2}\S+Z {2}warn {2}api {2}slow disk$/m);
  });

  it('shows the lines of Loki, from JSON lines and from structured metadata', async () => {
    const pino = { level: 50, msg: 'attempt failed', err: { message: 'no route to host' }, attempt: 1 };
    const result = [
      {
        stream: { service_name: 'crawler' },
        values: [
          [nanos(failedAtMs), JSON.stringify(pino)],
          [nanos(failedAtMs - 20), 'attempt began', { structuredMetadata: { detected_level: 'info' } }],
        ],
      },
    ];
    const logs = await backend(() => ({
      body: JSON.stringify({ status: 'success', data: { resultType: 'streams', result } }),
    }));
    const { json } = await why({ LOGS_URL: `loki+${logs.url}` }, '--json');
    const url = new URL(logs.seen[0]?.request.url ?? '', logs.url);
    expect(url.pathname).toBe('/loki/api/v1/query_range');
    expect(url.searchParams.get('query')).toBe(json.queries.logql);
    expect(url.searchParams.get('direction')).toBe('backward');
    expect(Number(url.searchParams.get('start')) / 1e6).toBeLessThan(failedAtMs);
    expect(json.lines).toEqual([
      { atMs: failedAtMs - 20, level: 'info', text: 'attempt began', service: 'crawler' },
      {
        ...{ atMs: failedAtMs, level: 'error', text: 'attempt failed: no route to host' },
        ...{ service: 'crawler', attempt: 1 },
      },
    ]);
    expect(json.culprit).toMatchObject({ from: 'log', text: 'attempt failed: no route to host' });
  });

  it('prefers the error line of the failed attempt to its span and to errors of other attempts', async () => {
    const traces = await backend(() => ({
      body: JSON.stringify({ result: { resourceSpans: resourceSpans() } }),
    }));
    const later = {
      _time: isoAt(failedAtMs + 90_000),
      _msg: 'no route to host',
      level: 'error',
      attempt: '2',
    };
    const logs = await backend(() => ({ body: `${victoriaLines()}\n${jsonLine(later)}\n` }));
    const { json } = await why({ TRACES_URL: traces.url, LOGS_URL: logs.url }, '--json');
    expect(json.culprit).toMatchObject({ from: 'log', text: 'attempt failed: no route to host' });
    expect(json.spans).toHaveLength(2);
  });

  const large = 'x'.repeat(5_000_000);
  const badAnswers: readonly (readonly [what: string, answer: Answer, sentence: string])[] = [
    ['answers with an error', () => ({ status: 500, body: 'boom\nmore' }), 'answered with status 500: boom.'],
    ['redirects', () => ({ status: 302, body: '' }), 'answered with status 302.'],
    [
      'answers with deep JSON',
      () => ({ body: '['.repeat(4_000_000) }),
      'answered with JSON that is nested too deeply.',
    ],
    ['answers with no JSON', () => ({ body: '<html>' }), 'answered with a text that is no JSON.'],
    ['answers with too much', () => ({ body: large }), 'answered with more than 4 MiB.'],
    ['does not answer', () => undefined, 'did not answer within 2 s.'],
  ];
  it.each(badAnswers)(
    'says in one line that a back end %s, and answers all the same',
    async (_, answer, sentence) => {
      const { url } = await backend(answer);
      const { code, out, err } = await why({ TRACES_URL: url, LOGS_URL: `loki+${url}` });
      expect(code).toBe(0);
      expect(out).toMatch(/^BACKOFF: /);
      expect(err.split('\n').sort()).toEqual([
        '',
        `jaeger at ${url} ${sentence}`,
        `loki at ${url} ${sentence}`,
      ]);
    },
  );

  it('says in one line that a back end is down, without the password in its address', async () => {
    const { code, err } = await why({ TRACES_URL: 'tempo+http://ann:secret@127.0.0.1:1' });
    expect([code, err]).toEqual([0, 'tempo at http://127.0.0.1:1 cannot be reached (ECONNREFUSED).\n']);
  });

  it('trusts the authority that the environment names, and no other one', async () => {
    const authority = mkdtempSync(join(tmpdir(), 'holdfast-backends-'));
    onTestFinished(() => rmSync(authority, { recursive: true, force: true }));
    await initAuthority(authority, Date.now());
    const of = { kind: 'server', name: 'traces', hosts: ['127.0.0.1'] } as const;
    const files = await issue(authority, of, Date.now());
    const tls = { key: readFileSync(files.key, 'utf8'), cert: readFileSync(files.cert, 'utf8') };
    const { url } = await backend(() => ({ body: '{"result":{"resourceSpans":[]}}' }), tls);
    expect((await why({ TRACES_URL: url }, '--json')).json.backendFaults).toEqual([
      expect.stringMatching(/^jaeger at \S+ cannot be reached \(\w+\)\.$/),
    ]);
    const TRACES_CA = files.ca;
    expect((await why({ TRACES_URL: url, TRACES_CA }, '--json')).json.backendFaults).toEqual([]);
  });

  it('has no spans and says that the trace was not kept if the store of traces does not know it', async () => {
    const { url } = await backend(() => ({ status: 404, body: '{"error":{"message":"trace not found"}}' }));
    const { json } = await why({ TRACES_URL: url }, '--json');
    expect(json).toMatchObject({ spans: [], isTraceKept: false, backendFaults: [] });
    const { out } = await why({ TRACES_URL: url });
    expect(out).toMatch(
      new RegExp(`^trace +${traceId} \\(the store of traces has not kept it; the timeline`, 'm'),
    );
    const unknown = await why({ TRACES_URL: '' }, '--json');
    expect(unknown.json.isTraceKept).toBeUndefined();
    expect((await why({})).out).toMatch(new RegExp(`^trace +${traceId}$`, 'm'));
  });

  it.each([
    ['TRACES_URL', 'zipkin+http://x', 'HOLDFAST_TRACES_URL is no address of a back end.'],
    ['LOGS_URL', 'nowhere', 'HOLDFAST_LOGS_URL is no address of a back end.'],
    ['TRACES_HEADERS', 'secret', 'HOLDFAST_TRACES_HEADERS is no list of headers.'],
    ['TRACES_HEADERS', 'a=%0asecret', 'HOLDFAST_TRACES_HEADERS is no list of headers.'],
    ['TRACES_CA', '/none/ca.pem', 'HOLDFAST_TRACES_CA names a file that cannot be read'],
  ])('says in one line that %s=%s is wrong, and answers all the same', async (name, value, sentence) => {
    const { code, err } = await why({ TRACES_URL: 'http://127.0.0.1:1', [name]: value });
    expect(code).toBe(0);
    expect(err).toContain(sentence);
    expect(err).not.toContain('secret');
  });

  it('lets hostile answers neither fail the command nor reach the terminal', async () => {
    const hostile = [
      {
        resource: 7,
        scopeSpans: [{ spans: [null, { name: '\u001b[2J', status: { code: 2, message: '\u001b]0;x' } }] }],
      },
    ];
    const traces = await backend(() => ({ body: JSON.stringify({ result: { resourceSpans: hostile } }) }));
    const logs = await backend(() => ({
      body: '7\n{"_time":"never","_msg":"\\u001b[31m","level":{}}\nnull',
    }));
    const { code, out, err } = await why({ TRACES_URL: traces.url, LOGS_URL: logs.url });
    expect([code, err]).toEqual([0, '']);
    expect(out).not.toContain('\u001b');
  });

  const title = '\u001b]0;x\u0007';
  const loki = (values: readonly (readonly unknown[])[]) =>
    JSON.stringify({ data: { result: [{ stream: {}, values }] } });
  it.each([
    ['a service and a level with control characters', [{ service: `${title}\nforged`, level: title }]],
    ['a level by the name of a property of every object', [{ level: 'constructor' }, { level: '__proto__' }]],
  ])('shows log lines with %s as text', async (_, fields) => {
    const values = fields.map((one) => [nanos(failedAtMs), JSON.stringify({ msg: 'shown', ...one })]);
    const logs = await backend(() => ({ body: loki(values) }));
    const { code, out, err } = await why({ LOGS_URL: `loki+${logs.url}` });
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/shown$/m);
    expect(out).not.toContain('\u001b');
    expect(out).not.toMatch(/^forged/m);
  });

  it('shows spans and lines whose times no calendar has', async () => {
    const span = { name: 'late', startTimeUnixNano: '9'.repeat(25), status: { code: 2 } };
    const traces = await backend(() => ({
      body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    }));
    const logs = await backend(() => ({ body: loki([['9'.repeat(40), 'line', {}]]) }));
    const { code, out, err } = await why({ TRACES_URL: traces.url, LOGS_URL: `loki+${logs.url}` });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('late');
    expect(out).toContain('line');
  });

  it('reads a search that found a trace of very many spans', async () => {
    const spans = Array.from({ length: 400_000 }, () => '{}');
    const found = `{"data":[{"traceID":"ab","spans":[${spans.join(',')}]}]}`;
    const store = await backend(({ request }) => ({
      body: request.url?.startsWith('/api/traces?') === true ? found : '{}',
    }));
    const { json } = await why({ TRACES_URL: store.url }, '--json');
    expect(json.backendFaults).toEqual([]);
    expect(store.seen.map(({ request }) => request.url)).toContain(
      `/api/v3/traces/${'ab'.padStart(32, '0')}`,
    );
  });

  it('reads no more spans and lines of an answer than a screen could need', async () => {
    const spans = Array.from({ length: 10_001 }, () => ({}));
    const traces = await backend(() => ({
      body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
    }));
    const logs = await backend(() => ({ body: `${'{}\n'.repeat(200)}no JSON` }));
    const { json } = await why({ TRACES_URL: traces.url, LOGS_URL: logs.url }, '--json');
    expect([json.spans.length, json.lines.length, json.backendFaults]).toEqual([10_000, 200, []]);
  });
});
