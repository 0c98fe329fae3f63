/** A local HTTP receiver that misbehaves, with a ledger outside Holdfast: a file, synced before each 200. */
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface Entry {
  readonly delivery: string;
  readonly lane: string;
  readonly attempt: number;
}

export interface Receiver {
  readonly url: string;
  readonly misbehaved: { readonly unavailable: number; readonly hung: number; readonly reset: number };
  /** Deliveries of a worker, by its name, that are under way and will be answered. */
  inHands(worker: string): number;
  /** From now on deliveries of that worker are written down and never answered, so that it has them until it dies. */
  hold(worker: string): void;
  close(): void;
}

const badShare = { unavailable: 0.08, hang: 0.02, reset: 0.05 } as const;
/** After so many attempts it behaves, so that the demo ends. */
const badAttempts = 3;
const answerMs = 100;

export async function startReceiver(ledgerFile: string): Promise<Receiver> {
  const ledger = openSync(ledgerFile, 'a');
  const misbehaved = { unavailable: 0, hung: 0, reset: 0 };
  const inHands = new Map<string, number>();
  const held = new Set<string>();
  const count = (worker: string, more: number): void =>
    void inHands.set(worker, (inHands.get(worker) ?? 0) + more);

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
      if (held.has(worker)) return;
      // Slow enough that a killed worker dies with work in its hands.
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
    inHands: (worker) => inHands.get(worker) ?? 0,
    hold: (worker) => void held.add(worker),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
