/** The flags `--tls-ca`, `--tls-cert` and `--tls-key` of every verb that calls a server. `--key` of a verb is an idempotency key. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { ClientTls } from '../../client/grpc/tls.ts';
import { usage } from '../exit-codes.ts';

/** The verbs that call a server as a client, by the words that the user types. */
export const clientVerbs: ReadonlySet<string> = new Set([
  ...[
    'worker',
    'canary',
    'submit',
    'show',
    'why',
    'trouble',
    'list',
    'watch',
    'wait',
    'doctor',
    'stats',
    'workers list',
    'cancel',
    'redrive',
  ],
  ...['queues list', 'queues show', 'queues create', 'queues set', 'queues pause', 'queues resume'],
]);

/** Returns the words that name a command below the program, such as `queues pause`. */
export function nameOf(command: CommandUnknownOpts): string {
  const words: string[] = [];
  for (let one = command; one.parent !== null; one = one.parent) words.unshift(one.name());
  return words.join(' ');
}

/** Adds the flags to each client verb below `command`. */
export function addServerFlags(command: CommandUnknownOpts): void {
  if (clientVerbs.has(nameOf(command))) {
    command
      .option(
        '--tls-ca <file>',
        'the certificate of the server’s authority; default: HOLDFAST_CA, else the profile',
      )
      .option('--tls-cert <file>', 'your certificate; default: HOLDFAST_CERT, else the profile')
      .option('--tls-key <file>', 'the key of your certificate; default: HOLDFAST_KEY, else the profile');
  }
  for (const below of command.commands) addServerFlags(below);
}

/** Returns the certificates that the flags of a client verb name; undefined if it has none of them. */
export function tlsFlags(command: CommandUnknownOpts | undefined): ClientTls | undefined {
  if (command === undefined || !clientVerbs.has(nameOf(command))) return undefined;
  const {
    tlsCa: ca,
    tlsCert: cert,
    tlsKey: key,
  } = command.opts() as Readonly<Record<string, string | undefined>>;
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key };
  const missing = Object.entries({ '--tls-ca': ca, '--tls-cert': cert, '--tls-key': key })
    .filter(([, file]) => file === undefined)
    .map(([flag]) => flag);
  throw usage(
    `--tls-ca, --tls-cert and --tls-key go together, and ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing.`,
    'Give all three, or none to use HOLDFAST_CA, HOLDFAST_CERT and HOLDFAST_KEY or the profile of `holdfast dev`.',
  );
}
