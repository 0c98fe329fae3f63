import { type ClientOptions, clientOver, type InnerClient } from './client.ts';
import type { Transport } from './transport.ts';
import { startWorker } from './worker/worker.ts';

/** Creates a client that can run workers. Most programs use `connect()`, which also opens the transport. */
export function createClient(transport: Transport, options: Omit<ClientOptions, 'startWorker'>): InnerClient {
  return clientOver(transport, { ...options, startWorker });
}
