import { expect, it } from 'vitest';
import { memory } from '../engines/memory/index.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLog } from '../ports/log.ts';
import { serve, startNode } from './node.ts';

const never = <T>(): Promise<T> => new Promise<T>(() => {});

it('a node closes although its store answers no call any more', async () => {
  const clock = systemClock();
  const engine = memory({ clock });
  let hangs = false;
  const store: typeof engine.store = {
    ...engine.store,
    can: engine.store.can,
    dueShards: engine.store.dueShards,
    due: (...args) => (hangs ? never() : engine.store.due(...args)),
    purge: (...args) => (hangs ? never() : engine.store.purge(...args)),
    accept: (...args) => (hangs ? never() : engine.store.accept(...args)),
  };
  const close = (): Promise<void> => (hangs ? never() : engine.close());
  const node = await startNode({ engine: { ...engine, store, close }, clock, log: silentLog });
  hangs = true;
  const submitting = node.service.submit({ tenant: 'default', queue: 'q' }, [], { notAfterMs: undefined });
  void submitting.catch(() => {});
  await node.close();
  expect(node.close()).toBe(node.close());
});

it('a server that is closed no longer listens, and its port can be used at once', async () => {
  const options = { store: 'memory:', clock: systemClock(), log: silentLog };
  const first = await serve({ ...options, grpc: { host: '127.0.0.1', port: 0, plaintext: true } });
  const { grpcPort } = first.listening;
  await first.close();
  const second = await serve({ ...options, grpc: { host: '127.0.0.1', port: grpcPort, plaintext: true } });
  expect(second.listening.grpcPort).toBe(grpcPort);
  await second.close();
});
