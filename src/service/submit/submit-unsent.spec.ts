import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DispatchMessage } from '../../ports/broker.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const target = { tenant: 'default', queue: 'mail' };

/** Starts a node whose broker fails every send with `failure.error` while that is set. */
async function startNode(failure: { error: HoldfastError | undefined }) {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const send = async (messages: readonly DispatchMessage[]) =>
    failure.error === undefined
      ? engine.broker.send(messages)
      : messages.map(() => failure.error as HoldfastError);
  const broker = new Proxy(engine.broker, {
    get(of, name) {
      if (name === 'send') return send;
      const value = Reflect.get(of, name) as unknown;
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  const options = { ...engine, broker, node: 'n', clock, log: silentLog, createQueues: true };
  return (await createService(options)).service;
}

const missing = new HoldfastError('NOT_FOUND', 'QUEUE_UNKNOWN', 'It has no SQS queue.', {
  help: 'Check the name.',
});

test('the error for a task that was stored but not dispatched says so, and a repeat with the same key finds that task', async () => {
  const failure: { error: HoldfastError | undefined } = { error: missing };
  const service = await startNode(failure);
  const submit = async () => (await service.submit(target, [item('k')], { notAfterMs: undefined }))[0];
  const refused = await submit();
  expect(refused?.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  expect(refused?.error?.message).toMatch(/written, but could not be announced/);
  expect(refused?.error?.help).toMatch(/Check the name\. Then send the request again with the same key/);
  failure.error = undefined;
  expect(await submit()).toMatchObject({ deduplicated: true, state: 'ready' });
});
