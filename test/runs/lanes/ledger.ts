/** The workers' own account of what they began, written before and after, whatever becomes of the process. */
import { openSync, readFileSync, writeSync } from 'node:fs';

export interface Begun {
  readonly id: string;
  readonly token: number;
  readonly worker: string;
  readonly beganAtMs: number;
  /** Undefined: the process was killed meanwhile. */
  readonly endedAtMs: number | undefined;
}

export class Ledger {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  began(id: string, token: number, atMs: number): void {
    writeSync(this.#file, `${id} ${token} began ${atMs}\n`);
  }

  ended(id: string, token: number, atMs: number): void {
    writeSync(this.#file, `${id} ${token} ended ${atMs}\n`);
  }
}

/** In the order in which they were written. */
export function readLedger(path: string, worker: string): Begun[] {
  const begun = new Map<string, Begun>();
  // A line that a kill cut off lacks its end.
  for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const [id = '', token = '', what = '', at = ''] = line.split(' ');
    const name = `${id} ${token}`;
    const known = begun.get(name);
    if (what === 'began') {
      begun.set(name, { id, token: Number(token), worker, beganAtMs: Number(at), endedAtMs: undefined });
    } else if (known !== undefined) begun.set(name, { ...known, endedAtMs: Number(at) });
  }
  return [...begun.values()];
}
