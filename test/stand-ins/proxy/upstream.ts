import { Agent, request } from 'node:http';
import type { Answer } from './call.ts';

export interface Upstream {
  /**
   * Forwards one request to the stand-in with its headers and body unchanged. Rejects if the stand-in cannot be
   * reached.
   */
  forward(from: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
    readonly body: string;
  }): Promise<Answer>;
  close(): void;
}

/** HTTP headers that concern one connection only, so that the proxy does not forward them. */
const hopHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

export function upstreamAt(url: string): Upstream {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return {
    forward: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const sent: Record<string, string | string[]> = {};
        for (const [name, value] of Object.entries(headers)) {
          if (value !== undefined && !hopHeaders.has(name)) sent[name] = value as string | string[];
        }
        const bytes = Buffer.from(body);
        sent['content-length'] = String(bytes.length);
        const outgoing = request({ hostname, port, method, path, headers: sent, agent }, (incoming) => {
          const parts: Buffer[] = [];
          incoming.on('data', (part: Buffer) => parts.push(part));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const kept: Record<string, string> = {};
            for (const [name, value] of Object.entries(incoming.headers)) {
              if (typeof value === 'string' && !hopHeaders.has(name)) kept[name] = value;
            }
            const text = Buffer.concat(parts).toString();
            resolve({ status: incoming.statusCode ?? 502, headers: kept, body: text });
          });
        });
        outgoing.on('error', reject);
        outgoing.end(bytes);
      }),
    close: () => agent.destroy(),
  };
}
