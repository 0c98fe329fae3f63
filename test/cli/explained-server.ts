/** A server on SQLite that commands and calls over HTTP reach without certificates, for tests of what explains tasks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../../src/node/node.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { holdfast } from './command-server.ts';

export interface ExplainedServer {
  readonly url: string;
  /** Runs a command against this server. */
  command(...argv: readonly string[]): ReturnType<typeof holdfast>;
  /** Posts a request to a method such as `TaskService/SubmitTask`, and returns the answer. Throws unless its status is ok. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer is JSON, and each test names the fields that it expects
  post(method: string, request: object): Promise<any>;
  close(): Promise<void>;
}

export async function startExplainedServer(clock: Clock): Promise<ExplainedServer> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-explained-'));
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const store = `file:${join(dir, 'queue.db')}`;
  const serving = await serve({ store, grpc: free, http: free, clock, log: silentLog });
  const { grpcPort, httpPort } = serving.listening;
  const url = `holdfast+plaintext://127.0.0.1:${grpcPort}`;
  return {
    url,
    command: (...argv) => holdfast(...argv, '--url', url),
    async post(method, request) {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/holdfast.v1.${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      if (!answer.ok) throw new Error(await answer.text());
      return answer.json();
    },
    async close() {
      await serving.close(0);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
