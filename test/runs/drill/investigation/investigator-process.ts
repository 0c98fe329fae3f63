/**
 * Main program of the investigator. It gets the body of an alert's webhook and the addresses on standard input, and an operator's
 * certificate by the environment of the command. It runs without the right to start a program or to read any file but the
 * sources, the runbooks and that certificate. It prints a line of JSON for each step, and one for its conclusion.
 */
import { text } from 'node:stream/consumers';
import type { WebhookBody } from '../../alerts/webhook-body.ts';
import { Investigation } from './investigation.ts';
import { type Addresses, liveSources } from './sources.ts';
import { conclude } from './tree.ts';

/** The only input of an investigator. */
export interface Assignment extends Addresses {
  readonly alert: WebhookBody;
  /** The factor by which the lengths of time in the alert's rules are shorter than those of the runbooks. */
  readonly factor: number;
}

const { alert, factor, ...addresses } = JSON.parse(await text(process.stdin)) as Assignment;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const investigation = new Investigation(alert, liveSources(addresses), factor, (step) => print({ step }));
// A verb may wait for a timer that keeps no process alive.
setInterval(() => {}, 60_000);
try {
  print({ named: await conclude(investigation) });
} catch (thrown) {
  print({ named: 'unknown', error: (thrown as Error).stack });
}
process.exit(0);
