import type { Transport } from './transport.ts';

/** A node in this process, as the composition root opens it. */
export interface EmbeddedNode {
  readonly transport: Transport;
  close(): Promise<void>;
}

interface Shared {
  readonly opening: Promise<EmbeddedNode>;
  users: number;
}

/** One node for each URL, however many clients; closed with its last one. `memory:` is each client's own. */
export function sharedNodes(
  open: (url: string) => Promise<EmbeddedNode>,
): (url: string) => Promise<Transport> {
  const nodes = new Map<string, Shared>();

  async function lend(url: string, key: string): Promise<Transport> {
    const shared = nodes.get(key) ?? { opening: open(url), users: 0 };
    nodes.set(key, shared);
    shared.users++;
    const giveBack = async (): Promise<void> => {
      if (--shared.users > 0) return;
      if (nodes.get(key) === shared) nodes.delete(key);
      await (await shared.opening).close();
    };
    try {
      const { transport } = await shared.opening;
      return { ...transport, close: giveBack };
    } catch (thrown) {
      if (nodes.get(key) === shared) nodes.delete(key);
      throw thrown;
    }
  }

  let own = 0;
  return (url) => lend(url, url === 'memory:' ? `memory:${own++}` : url);
}
