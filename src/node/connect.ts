import { type Connect, connector } from '../client/connect.ts';
import { nodeParts } from './parts.ts';

/**
 * Returns a client of the server or store that the URL names: `holdfast://host:port` for a server over mutual TLS,
 * `file:./queue.db` for a store in a file that this process opens, `memory:` for a store that is gone with the process.
 * Without a URL it uses HOLDFAST_URL, else the profile that `holdfast dev` wrote. It returns at once and connects at the
 * first call. An idle client does not keep the process alive.
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, if no server or no certificate is known.
 *
 * @example
 * ```ts
 * await using client = connect('file:./queue.db');
 * const task = await client.submit(sendEmail, { to: 'ada@example.com' });
 * ```
 */
export const connect: Connect = connector(nodeParts);
