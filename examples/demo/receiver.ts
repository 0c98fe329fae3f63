/**
 * A local HTTP receiver of webhooks that misbehaves on purpose. It records each delivery in a ledger file, outside
 * Holdfast, and syncs the file before it answers 200.
 */
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** One recorded delivery: a line of the ledger file. */
export interface LedgerEntry {
  readonly delivery: string;
  readonly lane: string;
  readonly attempt: number;
}

/** A running HTTP receiver of webhooks. */
export interface Receiver {
  readonly url: string;
  readonly misbehaved: { readonly unavailable: number; readonly hung: number; readonly reset: number };
  /** Returns the number of recorded deliveries of the named worker that are not answered yet. */
  deliveriesInFlight(worker: string): number;
  /**
   * Records further deliveries of the named worker but does not answer them, so that the worker keeps those deliveries
   * in flight until it is killed.
   */
  withholdAnswers(worker: string): void;
  close(): void;
}

/** The share of requests that the receiver answers with 503, leaves without an answer, or resets. */
const badShare = { unavailable: 0.08, hang: 0.02, reset: 0.05 } as const;
/** After this many attempts of a webhook, the receiver answers normally, so that the demo ends. */
const badAttempts = 3;
const answerMs = 100;

/** Starts a receiver of webhooks on a free port that appends to this ledger file. */
export async function startReceiver(ledgerFile: string): Promise<Receiver> {
  const ledger = openSync(ledgerFile, 'a');
  const misbehaved = { unavailable: 0, hung: 0, reset: 0 };
  const inFlight = new Map<string, number>();
  const withheld = new Set<string>();
  const count = (worker: string, more: number): void =>
    void inFlight.set(worker, (inFlight.get(worker) ?? 0) + more);

  function misbehave(request: IncomingMessage, response: ServerResponse): boolean {
    if (Number(request.headers['x-attempt']) > badAttempts) return false;
    let chance = Math.random();
    chance -= badShare.unavailable;
    if (chance < 0) {
      misbehaved.unavailable++;
      response.writeHead(503).end();
      return true;
    }
    chance -= badShare.hang;
    if (chance < 0) {
      misbehaved.hung++;
      return true;
    }
    chance -= badShare.reset;
    if (chance >= 0) return false;
    misbehaved.reset++;
    request.socket.destroy();
    return true;
  }

  const server: Server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (misbehave(request, response)) return;
      const { 'x-github-delivery': delivery, 'x-lane': lane, 'x-attempt': attempt } = request.headers;
      writeSync(ledger, `${JSON.stringify({ delivery, lane: lane ?? '', attempt: Number(attempt) })}\n`);
      fsyncSync(ledger);
      const worker = String(request.headers['x-worker'] ?? '');
      count(worker, 1);
      if (withheld.has(worker)) return;
      // The answer is delayed, so that a worker that is killed has a delivery in flight.
      setTimeout(() => {
        count(worker, -1);
        response.writeHead(200).end();
      }, answerMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    misbehaved,
    deliveriesInFlight: (worker) => inFlight.get(worker) ?? 0,
    withholdAnswers: (worker) => void withheld.add(worker),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
