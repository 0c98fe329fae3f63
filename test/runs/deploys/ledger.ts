/**
 * The ledger of a worker process: a file in which it notes the begin and the end of each handler. The file survives the
 * end of the process, however it ends.
 */
import { openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How a handler ended: `aborted` if its signal fired first. */
export type HandlerEnd = 'well' | 'failed' | 'aborted';

/** One call of a handler. */
export interface HandlerCall {
  readonly id: string;
  readonly fencingToken: number;
  readonly attempt: number;
  /** The id of the process. */
  readonly pid: number;
  readonly beganAtMs: number;
  /** Undefined if the handler had not ended when its process ended or the ledger was read. */
  readonly end: { readonly atMs: number; readonly how: HandlerEnd } | undefined;
}

export class Ledger {
  readonly #file: number;

  constructor(folder: string, pid: number) {
    this.#file = openSync(join(folder, String(pid)), 'a');
  }

  began(id: string, fencingToken: number, attempt: number, atMs: number): void {
    writeSync(this.#file, `began ${id} ${fencingToken} ${atMs} ${attempt}\n`);
  }

  ended(id: string, fencingToken: number, how: HandlerEnd, atMs: number): void {
    writeSync(this.#file, `ended ${id} ${fencingToken} ${atMs} ${how}\n`);
  }
}

/** Returns the calls in the text of a ledger, in the order in which they began. */
export function parseLedger(text: string, pid: number): HandlerCall[] {
  const calls = new Map<string, HandlerCall>();
  // The end of the process may have cut off the last line, which then has no line break.
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind, id = '', fencingToken = '', at = '', last = ''] = line.split(' ');
    const name = `${id} ${fencingToken}`;
    const call = calls.get(name);
    if (kind === 'began') {
      const began = { id, fencingToken: Number(fencingToken), attempt: Number(last), pid };
      calls.set(name, { ...began, beganAtMs: Number(at), end: undefined });
    } else if (call !== undefined) {
      calls.set(name, { ...call, end: { atMs: Number(at), how: last as HandlerEnd } });
    }
  }
  return [...calls.values()];
}

/** Returns the calls in all ledgers of a folder. */
export function readLedgers(folder: string): HandlerCall[] {
  return readdirSync(folder).flatMap((name) =>
    parseLedger(readFileSync(join(folder, name), 'utf8'), Number(name)),
  );
}

const chunkBytes = 65_536;

/** Follows the ledgers of a folder while worker processes write them. */
export class LedgerFollower {
  readonly #folder: string;
  readonly #files = new Map<string, { readonly file: number; readBytes: number; rest: string }>();
  readonly #chunk = Buffer.alloc(chunkBytes);
  readonly began = new Set<string>();
  /** The tasks with a handler that ended well. */
  readonly endedWell = new Set<string>();
  /** The time at which the last handler began. */
  beganAtMs = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads the lines that were written since the last call. */
  read(): void {
    for (const name of readdirSync(this.#folder)) {
      const open = this.#files.get(name) ?? {
        ...{ file: openSync(join(this.#folder, name), 'r'), readBytes: 0, rest: '' },
      };
      this.#files.set(name, open);
      for (;;) {
        const bytes = readSync(open.file, this.#chunk, 0, chunkBytes, open.readBytes);
        if (bytes === 0) break;
        open.readBytes += bytes;
        const lines = (open.rest + this.#chunk.toString('latin1', 0, bytes)).split('\n');
        open.rest = lines.pop() ?? '';
        for (const line of lines) this.#note(line);
      }
    }
  }

  #note(line: string): void {
    const [kind, id = '', , at, last] = line.split(' ');
    if (kind === 'began') {
      this.began.add(id);
      this.beganAtMs = Math.max(this.beganAtMs, Number(at));
    } else if (last === 'well') this.endedWell.add(id);
  }
}
