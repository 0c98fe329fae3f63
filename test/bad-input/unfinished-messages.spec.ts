import { afterAll, beforeAll, expect, it } from 'vitest';
import { frame, rawSession } from '../fixtures/raw-grpc.ts';
import { type ServerProcess, startServerProcess } from '../fixtures/server-process.ts';

/** The memory that the server's process may need for the attacks of this file, in MB; without limits each needs more than 500. */
const mostMb = 120;
/** Less than the 30 s after which the server ends unfinished calls by itself. */
const patienceMs = 25_000;

let server: ServerProcess;
beforeAll(async () => {
  server = await startServerProcess();
});
afterAll(() => server.stop());

/** Begins calls on one connection, and sends each message without its end. Resolves with the reasons of the refusals. */
async function attack(tls: Parameters<typeof rawSession>[1], calls: number, bytes: number) {
  await using raw = await rawSession(server.address, tls);
  const reasons = new Map<string | undefined, number>();
  // All calls send the same bytes: a buffer for each call would fill the memory of the test's own process.
  const unfinished = frame(Buffer.alloc(bytes - 1_000), bytes);
  for (let i = 0; i < calls; i++) {
    const { stream, status } = raw.call('/holdfast.v1.TaskService/SubmitTask');
    stream.write(unfinished);
    void status.then(({ reason }) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
  }
  const ended = () => [...reasons.values()].reduce((sum, count) => sum + count, 0);
  await expect.poll(ended, { timeout: patienceMs }).toBeGreaterThan(0.9 * calls);
  // A connection that goes on sending bytes of refused calls is closed, which ends its other calls without a reason.
  const known = [...reasons.keys()].filter((reason) => reason !== undefined);
  return { reason: known, peakMb: server.usage().peakMb };
}

it('500 unfinished messages of 3.9 MB from a client without a certificate take no memory', {
  timeout: 2 * patienceMs,
}, async () => {
  const { rssMb } = server.usage();
  const { reason, peakMb } = await attack({ ca: server.tls.ca }, 500, 3_900_000);
  expect(reason).toEqual(['NO_CERTIFICATE']);
  expect(peakMb).toBeLessThan(rssMb + mostMb);
});

it('500 unfinished messages of an identity, of 3.9 MB and of 1 MB, take no more memory than its share', {
  timeout: 3 * patienceMs,
}, async () => {
  const { rssMb } = server.usage();
  expect((await attack(server.tls, 500, 3_900_000)).reason).toEqual(['TOO_LARGE']);
  const { reason, peakMb } = await attack(server.tls, 500, 1_000_000);
  expect(reason).toEqual(['TOO_MANY_CALLS']);
  expect(peakMb).toBeLessThan(rssMb + mostMb);
});
