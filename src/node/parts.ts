/** The composition root of the SDK. The code of a node is loaded only for a URL that names a store in this process. */
import type { ConnectParts } from '../client/connect.ts';
import { startWorker } from '../client/worker/worker.ts';
import { remoteParts } from '../remote/parts.ts';
import { storeName } from './open/store-name.ts';
import { sharedNodes } from './shared-nodes.ts';

const { clock, tracing } = remoteParts;

const openEmbedded = sharedNodes(async (url) => {
  const [{ openEmbedded: openNode }, { inProcess }] = await Promise.all([
    import('./embedded.ts'),
    import('./in-process.ts'),
  ]);
  const node = await openNode(url, { tracing });
  const transport = inProcess({ api: node.api, clock });
  return {
    transport,
    async close() {
      await transport.close();
      await node.close();
    },
  };
}, storeName);

/** The parts of a client of a server or of a store in this process. */
export const nodeParts: ConnectParts = { ...remoteParts, startWorker, openEmbedded };
