import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { quickClock, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import { correctedClock } from '../../platform/corrected-clock.ts';

const second = 1_000;

/** Returns the clock of a machine that is behind the store's clock by so much (ahead of it, if negative), as corrected. */
function wrongMachine(behindMs: number) {
  const machine = quickClock();
  const clock = correctedClock(machine);
  const atMs = machine.monotonic();
  const serverMs = machine.now() + behindMs;
  for (let i = 0; i < 3; i++) clock.addSample({ serverMs, requestedAtMs: atMs, receivedAtMs: atMs });
  return clock;
}

describe.each([20 * second, -20 * second])('a server whose machine is %i ms behind its store', (behindMs) => {
  it('executes a call over gRPC that has a timeout, and passes on the length that is left', async () => {
    const leftMs: (number | undefined)[] = [];
    const clock = wrongMachine(behindMs);
    expect(Math.abs(clock.now() - Date.now() - behindMs)).toBeLessThan(2 * second);
    await using served = await startListeningNode({
      plaintext: true,
      clock,
      wrap: (api) => ({
        ...api,
        submit(batch, context) {
          leftMs.push((context.notAfterMs ?? Number.NaN) - clock.monotonic());
          return api.submit(batch, context);
        },
      }),
    });
    const client = await served.client();
    const batch = { tenant: '', queue: 'q', items: [item('a')] };
    const { results } = await client.submit(batch, { timeoutMs: 5 * second });
    expect(results).toMatchObject([{ deduplicated: false }]);
    expect(leftMs[0]).toBeGreaterThan(0);
    expect(leftMs[0]).toBeLessThanOrEqual(5 * second);
  });

  it('executes a call over HTTP that has a timeout', async () => {
    await using served = await startListeningNode({ plaintext: true, clock: wrongMachine(behindMs) });
    const url = `http://127.0.0.1:${served.listening.httpPort}/holdfast.v1.TaskService/SubmitTask`;
    const payload = { contentType: 'application/json', bytes: btoa('{}') };
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-timeout-ms': '5000' },
      body: JSON.stringify({ queue: 'q', item: { spec: { type: 'note', payload } } }),
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"task"')]);
  });
});
