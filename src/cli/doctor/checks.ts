/** The checks of `holdfast doctor`. Each returns one finding, with the mend if something is wrong. */
import { existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { show } from '../../certs/show.ts';
import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import { formatDuration } from '../../core/rules.ts';
import type { AwsStore } from '../../node/open/aws.ts';
import { packageVersion } from '../../platform/version.ts';
import { AdminService } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { loadCertificates } from '../../tls/load.ts';
import { type ServerOptions, serverTarget, withServer } from '../connection/connect.ts';
import { nextFreePort } from '../dev/free-port.ts';
import { nodeVersionError } from '../node-version.ts';
import { defaultPorts } from '../text/numbers.ts';

/** The result of one check. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** A sentence that says what was found. */
  readonly message: string;
  /** A sentence that says what to do; undefined if nothing need be done. */
  readonly help: string | undefined;
}

const dayMs = 86_400_000;
/** A certificate that expires sooner than this is reported. */
const renewMs = 7 * dayMs;
/** A store wants this much free space on its disk before it accepts tasks. */
const freeBytes = 128 * 1_048_576;

function good(name: string, message: string): Finding {
  return { name, ok: true, message, help: undefined };
}

function bad(name: string, thrown: unknown): Finding {
  const { message, help }: HoldfastError = asHoldfastError(thrown);
  return { name, ok: false, message, help };
}

export function checkVersions(): Finding {
  const { node } = process.versions;
  const error = nodeVersionError(node);
  const message = `Holdfast ${packageVersion} on Node ${node}.`;
  return error === undefined ? good('versions', message) : { name: 'versions', ok: false, ...error };
}

/** Checks which server the verbs would call, and that the certificates for it are readable, fit together and are valid now. */
export function checkCertificates(server: ServerOptions, nowMs: number): Finding {
  const name = 'certificates';
  try {
    const { address, tls } = serverTarget(server);
    if (tls === undefined) return good(name, `The connection to ${address} has no TLS, so none are needed.`);
    const { ca, cert, key } = tls;
    if (cert === undefined || key === undefined) return good(name, `${ca} is the authority of ${address}.`);
    loadCertificates({ ca, cert, key }, nowMs);
    const leftMs = show(cert).notAfterMs - nowMs;
    const message = `${cert} is for ${address} and is valid for another ${formatDuration(Math.floor(leftMs / dayMs) * dayMs || dayMs)}.`;
    if (leftMs > renewMs) return good(name, message);
    return {
      name,
      ok: false,
      message,
      help: 'Issue it again: holdfast certs issue <name> (`holdfast dev` does so itself).',
    };
  } catch (thrown) {
    return bad(name, thrown);
  }
}

/** Checks that a server answers and lets this identity read its queues. It reads no task. */
export async function checkServer(server: ServerOptions): Promise<Finding> {
  try {
    const { address } = serverTarget(server);
    const request = { tenant: '', withoutCounts: true };
    const { queues } = await withServer(server, (transport) =>
      transport.call(AdminService.method.listQueues, request, { timeoutMs: 5_000 }),
    );
    return good('server', `${address} answers; it shows ${queues.length} queues.`);
  } catch (thrown) {
    return bad('server', thrown);
  }
}

/** Checks whether a server could listen on the usual ports. */
export async function checkPorts(): Promise<Finding> {
  const ports = Object.values(defaultPorts);
  const taken: number[] = [];
  for (const port of ports) if ((await nextFreePort(port)) !== port) taken.push(port);
  const [first] = taken;
  if (first === undefined) return good('ports', `${ports.join(' and ')} are free for a server.`);
  return good(
    'ports',
    `${taken.join(' and ')} in use, by a server or another program; \`holdfast dev\` takes the next free one.`,
  );
}

/** Checks a store in a file: that it is there, that it is whole if no process holds it, and that its disk has room. */
export async function checkFile(file: string): Promise<Finding> {
  const path = resolve(file.replace(/^file:(\/\/(?=\/))?/, ''));
  try {
    if (!existsSync(dirname(path))) {
      const help = 'Create the folder, or name the store: holdfast doctor --store <file>.';
      return { name: 'file', ok: false, message: `The folder ${dirname(path)} does not exist.`, help };
    }
    const { bavail, bsize } = statfsSync(dirname(path));
    if (bavail * bsize < freeBytes) {
      const message = `The disk of ${path} has ${Math.floor((bavail * bsize) / 1_048_576)} MiB free.`;
      return {
        name: 'file',
        ok: false,
        message,
        help: 'Free at least 128 MiB: with less no task is accepted.',
      };
    }
    if (!existsSync(path)) return good('file', `${path} does not exist yet; the first server creates it.`);
    const { checkStore } = await import('../../engines/sqlite/check/check-store.ts');
    const [fault] = checkStore(path);
    if (fault === undefined) return good('file', `${path} is whole.`);
    return {
      name: 'file',
      ok: false,
      message: fault.text,
      help: fault.help ?? `See all: holdfast check ${path}`,
    };
  } catch (thrown) {
    const { reason, message } = asHoldfastError(thrown);
    return reason === 'STORE_LOCKED' ? good('file', message) : bad('file', thrown);
  }
}

/** Checks that the table is there, has the keys and indexes of Holdfast, and may be read. */
export async function checkTable(store: AwsStore): Promise<Finding> {
  try {
    const [{ openWorkerNode }, { systemClock }, { silentLog }] = await Promise.all([
      import('../../node/node.ts'),
      import('../../platform/clock.ts'),
      import('../../ports/log.ts'),
    ]);
    const choice = { clock: systemClock(), log: silentLog, queues: [] };
    const { node } = await openWorkerNode(store, choice);
    try {
      const queues = await node.service.queues('default', { withoutCounts: true });
      return good('table', `The table ${store.table} can be read; it has ${queues.length} queues.`);
    } finally {
      await node.close(0);
    }
  } catch (thrown) {
    return bad('table', thrown);
  }
}
