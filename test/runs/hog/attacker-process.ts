/** The process of one attack. It reports twice a second how much it has reached, and ends after its time. */
import { getPriority, setPriority } from 'node:os';
import { attacks } from './attacks.ts';
import type { AttackerOptions, AttackerReport } from './process-messages.ts';
import { Target } from './target.ts';

/** Added to the priority number of this process: an attacker elsewhere would not take the server's processors. */
const lowerBy = 2;
const lowest = 19;

const options = JSON.parse(process.argv.at(-1) ?? '') as AttackerOptions;
const attack = attacks.find(({ name }) => name === options.attack);
if (attack === undefined) throw new Error(`no attack '${options.attack}'`);
setPriority(Math.min(lowest, getPriority() + lowerBy));
console.log('{}');

const target = new Target(options);
const report = (): void => {
  const message: AttackerReport = { kind: 'reached', reached: target.tally.reached };
  process.send?.(message);
};
setInterval(report, 500).unref();
// A connection that the server cuts fails in many places, none of which matters to an attacker.
const onFailure = (error: unknown): void => {
  if ((error as NodeJS.ErrnoException).code === undefined) throw error;
};
process.on('uncaughtException', onFailure);
process.on('unhandledRejection', onFailure);
const over = new Promise((resolve) => setTimeout(resolve, options.seconds * 1_000));
await Promise.race([attack.run(target), over]);
await over;
report();
process.exit(0);
