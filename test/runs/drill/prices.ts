/** The service that handlers of the drill ask. It belongs to somebody else, and may become slow. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Prices {
  readonly url: string;
  /** The time that each answer takes from now on. */
  delayMs: number;
  close(): void;
}

export async function startPrices(): Promise<Prices> {
  const server = createServer((_, response) => {
    setTimeout(() => response.end(JSON.stringify({ cents: 100 })), prices.delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const prices: Prices = {
    url: `http://127.0.0.1:${port}`,
    delayMs: 5,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return prices;
}
