/** The composition root of the SDK. A node in this process is loaded only when `connect` is asked for one. */
import { hostname } from 'node:os';
import { type Connect, connector } from '../client/connect.ts';
import { sharedNodes } from '../client/embedded.ts';
import { systemClock } from '../platform/clock.ts';
import { defaultLog } from '../platform/log.ts';
import { processPresence } from '../platform/presence.ts';

const clock = systemClock();

const openEmbedded = sharedNodes(async (url) => {
  const [{ openEmbedded: openNode }, { inProcess }] = await Promise.all([
    import('./node.ts'),
    import('./in-process.ts'),
  ]);
  const node = await openNode(url);
  const transport = inProcess({ api: node.api, clock });
  return {
    transport,
    async close() {
      await transport.close();
      await node.close();
    },
  };
});

/**
 * A client of the server that the URL names: `holdfast://host:port` over mutual TLS, `file:./queue.db` for a store in
 * this process, `memory:` for one that is gone with it. Without a URL: HOLDFAST_URL, else the profile that
 * `holdfast dev` wrote. Returns at once and dials at the first call; idle, it does not keep the process alive.
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, where no server or no certificate is known.
 */
export const connect: Connect = connector({
  clock,
  presence: processPresence(),
  workerName: `${hostname()}/${process.pid}`,
  cwd: () => process.cwd(),
  env: process.env,
  log: defaultLog,
  openEmbedded,
});
