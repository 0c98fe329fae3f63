/**
 * Invalid options that a caller gives to the SDK, over a real connection. The SDK encodes submissions in batches; an
 * invalid submission must not fail the other submissions of its batch.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Transport } from '../../src/client/transport.ts';
import { type Client, defineTask, HoldfastError, typed } from '../../src/index.ts';
import { item } from '../fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../fixtures/listening-node.ts';

let served: ListeningNode;
let transport: Transport;
let client: Client;
beforeAll(async () => {
  served = await startListeningNode();
  transport = await served.client();
  client = createClient(transport, { clock: served.clock });
});
afterAll(() => served[Symbol.asyncDispose]());

const half = 'half \ud83d of a pair';
const note = defineTask('note', { input: typed<null>() });
const oddKey = defineTask('odd-key', { input: typed<null>(), idempotencyKey: () => 7 as never });
const oddLane = defineTask('odd-lane', { input: typed<null>(), orderingKey: () => half });

describe('a submission with invalid options', () => {
  it.each<[string, object, string, string]>([
    ['a lone surrogate in its key', { idempotencyKey: half }, 'idempotencyKey', 'half of a surrogate'],
    ['a key that is a number', { idempotencyKey: 5 }, 'idempotencyKey', 'is a number; give a string'],
    ['a key of 256 characters', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey', 'has 256 characters'],
    ['a lone surrogate in a tag', { tags: ['eu', half] }, 'tags[1]', 'half of a surrogate'],
    ['a tag that is a number', { tags: [5] }, 'tags[0]', 'is a number; give a string'],
    ['tags that are a string', { tags: 'eu' }, 'tags', 'is a string; give a list of strings'],
    ['tags that are null', { tags: null }, 'tags', 'is null; give a list of strings'],
    ['an empty tag', { tags: [''] }, 'tags[0]', 'is empty'],
    ['a tag of 65 bytes', { tags: [`${'é'.repeat(32)}x`] }, 'tags[0]', 'has 65 bytes; at most 64'],
    ['a tag of two million bytes', { tags: ['x'.repeat(2_000_000)] }, 'tags[0]', 'has more than 64 bytes'],
    ['a lone surrogate in its traceparent', { traceparent: half }, 'traceparent', 'half of a surrogate'],
    ['a traceparent that is an object', { traceparent: {} }, 'traceparent', 'is an object; give a string'],
    [
      'a traceparent of two million characters',
      { traceparent: '0'.repeat(2_000_000) },
      'traceparent',
      'has 2,000,000 characters',
    ],
    ['a lone surrogate in its ordering key', { orderingKey: half }, 'orderingKey', 'half of a surrogate'],
    [
      'an ordering key of 256 characters',
      { orderingKey: 'o'.repeat(256) },
      'orderingKey',
      'has 256 characters',
    ],
    ['an unknown priority', { priority: 'urgent' }, 'priority', 'is urgent; one of high, normal, low'],
    ['an unknown value of whenDead', { whenDead: 'bury' }, 'whenDead', 'is bury; one of return, redrive'],
    ['a delay of 1e300 ms', { delay: 1e300 }, 'delay', 'is 1e+300; a number of milliseconds'],
    ['a scheduled start time that is a word', { runAt: 'tomorrow' }, 'runAt', 'is not a valid Date'],
    ['a queue that is a list', { queue: ['q'] }, 'queue', 'is an array; give a string'],
  ])(
    'such as %s is refused with the name of the field, and the other submissions of its batch are accepted',
    async (_, bad, field, description) => {
      const before = client.submit(note, null);
      const refused = client.submit(note, null, bad);
      const after = client.submit(note, null);
      await expect(refused).rejects.toBeInstanceOf(HoldfastError);
      await expect(refused).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        reason: 'BAD_FIELD',
        violations: [{ field, description: expect.stringContaining(description) }],
      });
      expect([(await before).state, (await after).state]).toEqual(['ready', 'ready']);
    },
  );

  it('is refused with all its invalid fields at once', async () => {
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

  it('is refused if the contract derives an invalid key from the input', async () => {
    const neighbour = client.submit(note, null);
    await expect(client.submit(oddKey, null)).rejects.toMatchObject({
      violations: [{ field: 'idempotencyKey' }],
    });
    await expect(client.submit(oddLane, null)).rejects.toMatchObject({
      violations: [{ field: 'orderingKey' }],
    });
    expect((await neighbour).state).toBe('ready');
  });

  it('is refused at its index of submitMany, and the other submissions are accepted', async () => {
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
  it('is refused with TOO_LARGE, which is not retryable', async () => {
    const many = Array.from({ length: 6 }, (_, i) => item(`k${i}`, { spec: new Uint8Array(200_000) }));
    const call = transport.submit({ tenant: '', queue: 'q', items: many }, {});
    await expect(call).rejects.toMatchObject({ reason: 'TOO_LARGE', retryable: false });
  });

  it('fails its call at once, although the client retries for an hour', async () => {
    const patient = createClient(transport, { clock: served.clock, retryFor: '1h' });
    await expect(patient.list({ tag: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ reason: 'TOO_LARGE' });
  });
});
