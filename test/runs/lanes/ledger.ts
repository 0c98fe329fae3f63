/**
 * The ledger: a file in which a worker notes the begin and the end of each attempt. The file survives a kill of the
 * process.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';

export interface AttemptRecord {
  readonly id: string;
  readonly fencingToken: number;
  readonly worker: string;
  readonly beganAtMs: number;
  /** The time at which the attempt ended. Undefined if the process was killed during the attempt. */
  readonly endedAtMs: number | undefined;
}

export class Ledger {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  began(id: string, fencingToken: number, atMs: number): void {
    writeSync(this.#file, `${id} ${fencingToken} began ${atMs}\n`);
  }

  ended(id: string, fencingToken: number, atMs: number): void {
    writeSync(this.#file, `${id} ${fencingToken} ended ${atMs}\n`);
  }
}

/** Returns the attempts in a worker's ledger file in the order in which they began. */
export function readLedger(path: string, worker: string): AttemptRecord[] {
  const attempts = new Map<string, AttemptRecord>();
  // A kill may have cut off the last line, which then has no line break.
  for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const [id = '', fencingToken = '', kind = '', at = ''] = line.split(' ');
    const name = `${id} ${fencingToken}`;
    const attempt = attempts.get(name);
    if (kind === 'began') {
      attempts.set(name, {
        id,
        fencingToken: Number(fencingToken),
        worker,
        beganAtMs: Number(at),
        endedAtMs: undefined,
      });
    } else if (attempt !== undefined) attempts.set(name, { ...attempt, endedAtMs: Number(at) });
  }
  return [...attempts.values()];
}
