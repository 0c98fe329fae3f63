import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { HoldfastError } from '../../core/errors.ts';
import { canaryQuery, check } from './checks.ts';
import type { Deployable, Deployments } from './port.ts';

const service: Deployable = {
  ...{ stage: 'prod', name: 'api', cluster: 'c', service: 's', repository: 'r' },
  ...{ tagParameter: '/holdfast/prod/image-tag', alarmPrefix: 'holdfast-prod-' },
};
const unread = new HoldfastError('PERMISSION_DENIED', 'DENIED', 'CloudWatch refuses these credentials.');

function port(firing: readonly string[] | HoldfastError, unhealthy = 0, running = 3): Deployments {
  const parts: Partial<Deployments> = {
    tasks: async () => ({ running, unhealthy }),
    async firingAlarms() {
      if (firing instanceof HoldfastError) throw firing;
      return firing;
    },
  };
  return parts as Deployments;
}

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

/** Starts a Prometheus that answers each query with these series. */
async function prometheus(seriesOf: (query: string) => readonly object[]) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const query = new URLSearchParams(Buffer.concat(chunks).toString()).get('query') ?? '';
      response.end(JSON.stringify({ status: 'success', data: { result: seriesOf(query) } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closes.push(() => server.close());
  const { port: number } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${number}`, headers: {}, ca: undefined };
}

const burnOf = (ratio: number) => [
  { metric: { __name__: 'slo:objective:ratio', sloth_slo: 'api-availability' }, value: [0, '0.999'] },
  {
    metric: { __name__: 'slo:sli_error:ratio_rate5m', sloth_slo: 'api-availability' },
    value: [0, String(ratio)],
  },
];
const slots = (good: number, late: number) => [
  { metric: { result: 'good' }, value: [0, String(good)] },
  { metric: { result: 'late' }, value: [0, String(late)] },
];

it('a Prometheus is asked for the canary and the burn, and CloudWatch is not', async () => {
  const at = await prometheus((query) => (query === canaryQuery ? slots(30, 0) : burnOf(0)));
  expect(await check(port(unread), service, at)).toEqual([
    { name: 'health', ok: true, sentence: '3 tasks run, 0 of them unhealthy' },
    { name: 'canary', ok: true, sentence: '30 good and 0 bad slots within 5m' },
    { name: 'burn', ok: true, sentence: 'burn within 5m: api-availability 0.0×' },
  ]);
});

it('bad slots, a fast burn and unhealthy tasks are shown as such', async () => {
  const at = await prometheus((query) => (query === canaryQuery ? slots(20, 10) : burnOf(0.02)));
  expect((await check(port([], 1), service, at)).map(({ name, ok }) => [name, ok])).toEqual([
    ['health', false],
    ['canary', false],
    ['burn', false],
  ]);
});

it('a service of which no task runs is no sign of health', async () => {
  const [health] = await check(port([], 0, 0), service, undefined);
  expect(health).toEqual({ name: 'health', ok: undefined, sentence: 'no task runs' });
});

it('a canary without slots and a Prometheus that is away are shown as not read', async () => {
  const at = await prometheus((query) => (query === canaryQuery ? [] : burnOf(0)));
  expect((await check(port([]), service, at))[1]).toMatchObject({ name: 'canary', ok: undefined });
  const away = { url: 'http://127.0.0.1:1', headers: {}, ca: undefined };
  expect((await check(port([]), service, away))[2]).toMatchObject({
    ...{ name: 'burn', ok: undefined },
    sentence: expect.stringContaining('cannot be reached'),
  });
});

it('without a Prometheus the alarms of the stack are read; alarms that cannot be read are no good sign', async () => {
  const verdicts = async (firing: readonly string[] | HoldfastError) =>
    (await check(port(firing), service, undefined)).map(({ ok }) => ok);
  expect(await verdicts([])).toEqual([true, true, true]);
  expect(await verdicts(['holdfast-prod-AlarmsFastBudgetBurnapiavailability1A'])).toEqual([
    true,
    false,
    true,
  ]);
  expect(await verdicts(['holdfast-prod-AlarmsSweepLag2B'])).toEqual([true, true, false]);
  expect(await verdicts(unread)).toEqual([true, undefined, undefined]);
});
