/** A node behind its real listeners on loopback: memory engine, real clock, real certificates, nothing stood in for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue, type Order } from '../../src/certs/issue.ts';
import { type GrpcOptions, grpcTransport } from '../../src/client/grpc/transport.ts';
import type { Transport } from '../../src/client/transport.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log, LogFields } from '../../src/ports/log.ts';
import type { Api } from '../../src/rpc/api/api.ts';
import { createApi, type NodeApi } from '../../src/rpc/api/create-api.ts';
import { cutMs } from '../../src/rpc/server/grpc-stream.ts';
import { type Listening, listen } from '../../src/rpc/server/listen.ts';
import { slowReaderMs } from '../../src/rpc/server/server-stream.ts';
import { watchEveryMs } from '../../src/rpc/tls/watch-files.ts';
import { createService } from '../../src/service/create-service.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';

const sooner: ReadonlyMap<number, number> = new Map([
  [watchEveryMs, 25],
  [slowReaderMs, 200],
  [cutMs, 200],
]);

/** The machine's clock, but for looks at changed files and the patience with slow readers, which come sooner. */
export function quickClock(): Clock {
  const clock = systemClock();
  return { ...clock, after: (ms, run) => clock.after(sooner.get(ms) ?? ms, run) };
}

export interface Line extends LogFields {
  readonly level: string;
  readonly message: string;
}

export function keptLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ ...fields, level, message });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A directory with an authority, and certificates by name. */
export class Authority {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'holdfast-listening-'));

  static async make(): Promise<Authority> {
    const authority = new Authority();
    await initAuthority(authority.dir, Date.now());
    return authority;
  }

  issue(
    name: string,
    kind: Order['kind'],
    more: Partial<Order> = {},
    nowMs = Date.now(),
  ): Promise<CertificateFiles> {
    return issue(this.dir, { name, kind, ...more }, nowMs);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Served extends AsyncDisposable {
  readonly authority: Authority;
  readonly api: NodeApi;
  readonly listening: Listening;
  readonly address: string;
  readonly clock: Clock;
  readonly lines: Line[];
  readonly policyFile: string;
  /** A client with a certificate of this name, closed with the server. */
  client(name?: string, more?: Partial<GrpcOptions>): Promise<Transport>;
  policy(content: unknown): void;
}

export interface Serving {
  readonly policy?: unknown;
  readonly plaintext?: boolean;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  readonly server?: Partial<Order>;
  readonly origins?: readonly string[];
  /** Stands between the listeners and the API. */
  wrap?(api: NodeApi): Api;
}

export async function serve(serving: Serving = {}): Promise<Served> {
  const { policy, plaintext, host = '127.0.0.1', server, origins, wrap } = serving;
  const authority = await Authority.make();
  const clock = quickClock();
  const log = keptLog();
  const engine = memory({ clock, bells: 'in-commit' });
  const { service } = await createService({ ...engine, node: 'node-1', clock, log, createQueues: true });
  const api = createApi({ service, clock, log, node: 'node-1' });
  const policyFile = join(authority.dir, 'policy.json');
  const write = (content: unknown): void =>
    writeFileSync(policyFile, typeof content === 'string' ? content : JSON.stringify(content));
  if (policy !== undefined) write(policy);
  const secured =
    plaintext === true
      ? ({ plaintext } as const)
      : { tls: await authority.issue('server', 'server', server) };
  const listening = await listen({
    api: wrap?.(api) ?? api,
    grpc: { host, port: 0, ...secured },
    http: { host, port: 0, ...secured, origins },
    auth: { policyFile: policy === undefined ? undefined : policyFile },
    clock,
    log,
  });
  const address = `127.0.0.1:${listening.grpcPort}`;
  const clients: Transport[] = [];
  return {
    authority,
    api,
    listening,
    address,
    clock,
    lines: log.lines,
    policyFile,
    policy: write,
    async client(name = 'alice', more = {}) {
      const tls = plaintext === true ? undefined : await authority.issue(name, 'client');
      const transport = grpcTransport({ address, tls, plaintext, clock, ...more });
      clients.push(transport);
      return transport;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.close();
      await listening.close();
      await engine.close();
      authority.remove();
    },
  };
}
