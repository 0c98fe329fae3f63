/** A node on the memory engine for one test: the parts of a real node, on the kit's clock. */
import type { Transport } from '../client/transport.ts';
import { memory } from '../engines/memory/index.ts';
import { inProcess } from '../node/in-process.ts';
import type { Clock } from '../ports/clock.ts';
import { silentLog } from '../ports/log.ts';
import { createApi } from '../rpc/api/create-api.ts';
import { startRuntime } from '../runtime/runtime.ts';
import { Sweeper } from '../runtime/sweep.ts';
import { createService } from '../service/create-service.ts';

const node = 'test-kit';

export interface TestNode {
  /** Returns a connection of a process of its own to the node. */
  connect(clock: Clock): Transport;
  /** Returns the earliest time at which the store has to act on a task; undefined if there is none. */
  dueAtMs(): Promise<number | undefined>;
  /** Acts on the tasks that are due now. A server does this within a second; here it is done at once. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export async function startTestNode(clock: Clock): Promise<TestNode> {
  const engine = memory({ clock });
  const log = silentLog;
  const running = await createService({ ...engine, node, clock, log, createQueues: true });
  const runtime = startRuntime(running);
  const api = createApi({ service: running.service, clock, log, node });
  const sweeper = new Sweeper(running.context);
  const never = new AbortController().signal;
  return {
    connect: (own) => inProcess({ api, clock: own }),
    async dueAtMs() {
      const { entries } = await engine.store.due(0, Number.MAX_SAFE_INTEGER, 1);
      return entries[0]?.dueAtMs;
    },
    async sweep() {
      await sweeper.round(never);
    },
    async close() {
      api.drain();
      await runtime.drain(0);
      await runtime.stop();
      await engine.close();
    },
  };
}
