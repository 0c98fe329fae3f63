/**
 * Loaded before a server (`--import`): its wall clock is off by what a file says, read anew at SIGUSR2. Timers go on as
 * they do when a machine's clock is set.
 */
import { readFileSync } from 'node:fs';

const file = process.env.CLOCK_OFFSET_FILE ?? '';
const Real = Date;
let offsetMs = 0;

class Jumping extends Real {
  constructor(...words: unknown[]) {
    super(...((words.length === 0 ? [Jumping.now()] : words) as [number]));
  }

  static override now(): number {
    return Real.now() + offsetMs;
  }
}

globalThis.Date = Jumping as DateConstructor;
process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(file, 'utf8'));
});
