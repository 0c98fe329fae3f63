/**
 * The ledgers of a run: files beside the store in which workers note the begin and the end of each handler, and
 * submitters each acknowledgement. Each line is synced before its writer goes on, so that it survives every kill.
 */
import { fdatasyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ledgersVariable, monotonicMs, nameVariable } from './contract.ts';

/** How a handler ended: `aborted` if its signal was aborted first. */
export type HandlerEnd = 'well' | 'failed' | 'fatal' | 'snoozed' | 'aborted';

/** One call of a handler. All times are those of the machine's monotonic clock. */
export interface HandlerCall {
  readonly id: string;
  readonly fencingToken: number;
  readonly key: string;
  readonly inputHash: string;
  readonly attempt: number;
  /** The name of the ledger: the name of the process and its id. */
  readonly process: string;
  readonly beganAtMs: number;
  /** Undefined if the process ended first. */
  readonly end: { readonly atMs: number; readonly how: HandlerEnd; readonly resultHash: string } | undefined;
}

/** A settlement that the server accepted. Only workers without the SDK note it. */
export interface AcceptedSettlement {
  readonly id: string;
  readonly fencingToken: number;
  readonly how: HandlerEnd;
  readonly process: string;
}

/** The server's answer to a submission. */
export interface Acknowledgement {
  readonly key: string;
  readonly id: string;
  readonly inputHash: string;
  readonly lane: string;
  readonly seq: number;
  readonly atMs: number;
}

export interface Ledgers {
  readonly calls: readonly HandlerCall[];
  readonly settlements: readonly AcceptedSettlement[];
  readonly acknowledged: readonly Acknowledgement[];
}

/** The ledger of this process. */
export class Ledger {
  readonly #file: number;
  /** The name of the process and its id. */
  readonly process: string;

  constructor() {
    this.process = `${process.env[nameVariable]}:${process.pid}`;
    this.#file = openSync(join(process.env[ledgersVariable] ?? '', this.process), 'a');
  }

  #write(...words: readonly (string | number)[]): void {
    writeSync(this.#file, `${words.join(' ')}\n`);
    fdatasyncSync(this.#file);
  }

  began(id: string, fencingToken: number, attempt: number, key: string, inputHash: string): void {
    this.#write('began', monotonicMs(), id, fencingToken, attempt, key, inputHash);
  }

  ended(id: string, fencingToken: number, how: HandlerEnd, resultHash = '-'): void {
    this.#write('ended', monotonicMs(), id, fencingToken, how, resultHash);
  }

  acknowledged(key: string, id: string, inputHash: string, lane: string, seq: number): void {
    this.#write('acknowledged', monotonicMs(), key, id, inputHash, lane === '' ? '-' : lane, seq);
  }
}

/** Reads the text of one ledger. */
export function parseLedger(text: string, process: string): Ledgers {
  const calls: HandlerCall[] = [];
  const open = new Map<string, number>();
  const settlements: AcceptedSettlement[] = [];
  const acknowledged: Acknowledgement[] = [];
  // The end of the process may have cut off the last line, which then has no line break.
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind, at, a = '', b = '', c = '', d = '', e = ''] = line.split(' ');
    const atMs = Number(at);
    if (kind === 'began') {
      const call = { id: a, fencingToken: Number(b), attempt: Number(c), key: d, inputHash: e };
      open.set(`${a} ${b}`, calls.length);
      calls.push({ ...call, process, beganAtMs: atMs, end: undefined });
    } else if (kind === 'ended') {
      const index = open.get(`${a} ${b}`) ?? -1;
      const call = calls[index];
      if (call === undefined) throw new Error(`${process} ends a call that it did not begin: ${line}`);
      calls[index] = { ...call, end: { atMs, how: c as HandlerEnd, resultHash: d } };
    } else if (kind === 'settled') {
      settlements.push({ id: a, fencingToken: Number(b), how: c as HandlerEnd, process });
    } else if (kind === 'acknowledged') {
      const lane = d === '-' ? '' : d;
      acknowledged.push({ key: a, id: b, inputHash: c, lane, seq: Number(e), atMs });
    } else throw new Error(`${process} has a line of an unknown kind: ${line}`);
  }
  return { calls, settlements, acknowledged };
}

/** Reads all ledgers of a folder. */
export function readLedgers(folder: string): Ledgers {
  const all = readdirSync(folder).map((name) => parseLedger(readFileSync(join(folder, name), 'utf8'), name));
  return {
    calls: all.flatMap(({ calls }) => calls),
    settlements: all.flatMap(({ settlements }) => settlements),
    acknowledged: all.flatMap(({ acknowledged }) => acknowledged),
  };
}
