import type { Transport } from '../client/transport.ts';

/** A Holdfast node that runs inside this process and shares its store with the client. */
export interface EmbeddedNode {
  readonly transport: Transport;
  close(): Promise<void>;
}

interface SharedNode {
  readonly opening: Promise<EmbeddedNode>;
  /** The number of clients that use the embedded node. */
  users: number;
}

/**
 * Returns a function that opens a transport to the embedded node of a URL. All clients of one store share one node, which
 * is closed when the last of them is closed. Each client of `memory:` gets a node of its own. `nameOf` returns one name for
 * all URLs of a store.
 */
export function sharedNodes(
  open: (url: string) => Promise<EmbeddedNode>,
  nameOf: (url: string) => string,
): (url: string) => Promise<Transport> {
  const nodes = new Map<string, SharedNode>();

  async function acquire(url: string, key: string): Promise<Transport> {
    const shared = nodes.get(key) ?? { opening: open(url), users: 0 };
    nodes.set(key, shared);
    shared.users++;
    const release = async (): Promise<void> => {
      if (--shared.users > 0) return;
      if (nodes.get(key) === shared) nodes.delete(key);
      await (await shared.opening).close();
    };
    try {
      const { transport } = await shared.opening;
      return { ...transport, close: release };
    } catch (thrown) {
      if (nodes.get(key) === shared) nodes.delete(key);
      throw thrown;
    }
  }

  let memoryNodes = 0;
  return (url) => acquire(url, url === 'memory:' ? `memory:${memoryNodes++}` : nameOf(url));
}
