/** What the SDK's callers give it wrongly, over a real connection: what goes out together is encoded together. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport } from '../../src/client/transport.ts';
import { type Client, createClient, defineTask, HoldfastError, typed } from '../../src/index.ts';
import { item } from '../fixtures/api-node.ts';
import { type Served, serve } from '../fixtures/listening.ts';

let served: Served;
let transport: Transport;
let client: Client;
beforeAll(async () => {
  served = await serve();
  transport = await served.client();
  client = createClient(transport, { clock: served.clock });
});
afterAll(() => served[Symbol.asyncDispose]());

const half = 'half \ud83d of a pair';
const note = defineTask('note', { input: typed<null>() });
const oddKey = defineTask('odd-key', { input: typed<null>(), idempotencyKey: () => 7 as never });
const oddLane = defineTask('odd-lane', { input: typed<null>(), orderingKey: () => half });

describe('a submission that the wire cannot carry', () => {
  it.each<[string, object, string, string]>([
    ['half a surrogate pair in its key', { idempotencyKey: half }, 'idempotencyKey', 'half of a surrogate'],
    ['a key that is a number', { idempotencyKey: 5 }, 'idempotencyKey', 'is a number; give a string'],
    ['a key of 256 characters', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey', 'has 256 characters'],
    ['half a surrogate pair in a tag', { tags: ['eu', half] }, 'tags[1]', 'half of a surrogate'],
    ['a tag that is a number', { tags: [5] }, 'tags[0]', 'is a number; give a string'],
    ['tags that are a string', { tags: 'eu' }, 'tags', 'is a string; give a list of strings'],
    ['tags that are null', { tags: null }, 'tags', 'is null; give a list of strings'],
    ['an empty tag', { tags: [''] }, 'tags[0]', 'is empty'],
    ['a tag of 65 bytes', { tags: [`${'é'.repeat(32)}x`] }, 'tags[0]', 'has 65 bytes; at most 64'],
    ['a tag of two million bytes', { tags: ['x'.repeat(2_000_000)] }, 'tags[0]', 'has 2,000,000 bytes'],
    ['half a surrogate pair in its trace', { traceparent: half }, 'traceparent', 'half of a surrogate'],
    ['a trace that is an object', { traceparent: {} }, 'traceparent', 'is an object; give a string'],
    ['a long trace', { traceparent: '0'.repeat(2_000_000) }, 'traceparent', 'has 2,000,000 characters'],
    ['half a surrogate pair in its lane', { orderingKey: half }, 'orderingKey', 'half of a surrogate'],
    ['a lane of 256 characters', { orderingKey: 'o'.repeat(256) }, 'orderingKey', 'has 256 characters'],
    ['a priority of its own', { priority: 'urgent' }, 'priority', "is 'urgent'; one of high, normal, low"],
    ['a wish for the dead', { whenDead: 'bury' }, 'whenDead', "is 'bury'; one of return, retry"],
    ['a delay past all time', { delay: 1e300 }, 'delay', 'is 1e+300; a number of milliseconds'],
    ['a run time in words', { runAt: 'tomorrow' }, 'runAt', 'is no valid Date'],
    ['a queue that is a list', { queue: ['q'] }, 'queue', 'is an array; give a string'],
  ])(
    'for %s is refused by the name of its field, and its neighbours are accepted',
    async (_, bad, field, told) => {
      const before = client.submit(note, null);
      const refused = client.submit(note, null, bad);
      const after = client.submit(note, null);
      await expect(refused).rejects.toBeInstanceOf(HoldfastError);
      await expect(refused).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        reason: 'BAD_FIELD',
        violations: [{ field, description: expect.stringContaining(told) }],
      });
      expect([(await before).state, (await after).state]).toEqual(['ready', 'ready']);
    },
  );

  it('is told of every field that is wrong', async () => {
    const options = { tags: [half, ''], idempotencyKey: half, priority: 'urgent' as never };
    await expect(client.submit(note, null, options)).rejects.toMatchObject({
      violations: [
        { field: 'tags[0]' },
        { field: 'tags[1]' },
        { field: 'idempotencyKey' },
        { field: 'priority' },
      ],
    });
  });

  it('for what its contract makes of the input is refused alike', async () => {
    const neighbour = client.submit(note, null);
    await expect(client.submit(oddKey, null)).rejects.toMatchObject({
      violations: [{ field: 'idempotencyKey' }],
    });
    await expect(client.submit(oddLane, null)).rejects.toMatchObject({
      violations: [{ field: 'orderingKey' }],
    });
    expect((await neighbour).state).toBe('ready');
  });

  it('is one of many that keep their places', async () => {
    const tags = [['a'], [half], 'eu' as never, ['b']];
    const outcomes = await client.submitMany(
      note,
      tags.map((own) => ({ input: null, tags: own })),
    );
    expect(outcomes.map((one) => (one.ok ? 'ok' : one.error.reason))).toEqual([
      'ok',
      'BAD_FIELD',
      'BAD_FIELD',
      'ok',
    ]);
  });
});

describe('a message that is too large', () => {
  it('is not sent again, for it would be as large', async () => {
    const many = Array.from({ length: 6 }, (_, i) => item(`k${i}`, { spec: new Uint8Array(200_000) }));
    const call = transport.submit({ tenant: '', queue: 'q', items: many }, {});
    await expect(call).rejects.toMatchObject({ reason: 'TOO_LARGE', retryable: false });
  });

  it('fails a call at once', async () => {
    const patient = createClient(transport, { clock: served.clock, retryFor: '1h' });
    await expect(patient.list({ tag: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ reason: 'TOO_LARGE' });
  });
});
