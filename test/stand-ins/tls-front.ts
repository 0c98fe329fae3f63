import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy in the role of a load balancer that ends TLS. */
export interface TlsFront {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a proxy that says of each request that it came over TLS, as a load balancer does that ends it. Policies that deny
 * requests without TLS can then stay as they are on a stand-in that is called over plain HTTP.
 */
export async function startTlsFront(port: number): Promise<TlsFront> {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const server = createServer((incoming, response) => {
    const { method, url: path, headers } = incoming;
    const options: RequestOptions = { host: '127.0.0.1', port, agent };
    const outgoing = httpRequest({
      ...options,
      ...{ method, path, headers: { ...headers, 'x-forwarded-proto': 'https' } },
    });
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}
