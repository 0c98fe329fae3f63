/**
 * Decides about each call of the gRPC and HTTP listeners when its headers have arrived, before any of its message is
 * read: who calls, whether the identity has the call's verb, and whether there is room for one more call.
 */

import { HoldfastError } from '../../../core/errors.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Identity } from '../../api/api.ts';
import { requireVerb } from '../../api/permission/access.ts';
import { verbOf } from '../../api/permission/verbs.ts';
import { type Connection, connectionOf } from '../../auth/connections.ts';
import { type Authenticator, connectionClosed } from '../authenticator.ts';
import { type CallBytes, ReceivingBudget, type ReceivingLimits } from './receiving-budget.ts';
import { Refusals } from './refusals.ts';
import { RequestTimer } from './request-timer.ts';
import { Turns } from './turns.ts';

/** HTTP/2 counts each header with this many bytes beside its name and its value. */
const bytesOfHeader = 32;

/** The services whose calls need no identity. Their messages are small. */
const openServices = /^\/grpc\.(health|reflection)\./;

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly most?: ReceivingLimits | undefined;
  /** Default: `timing.requestMs`. */
  readonly requestMs?: number | undefined;
}

type Headers = Readonly<Record<string, unknown>>;

export interface AdmittedCall {
  readonly connection: Connection;
  readonly bytes: CallBytes;
  /** The caller, or undefined for a stranger, who may call health and reflection. */
  readonly identity: Identity | undefined;
  /** The time in which its message must arrive. */
  readonly timer: RequestTimer;
}

/** The admission of one node, which its listeners share. */
export class Admission {
  readonly budget: ReceivingBudget;
  readonly #timer: RequestTimer;
  readonly #strangerTimer: RequestTimer;
  readonly refusals: Refusals;
  readonly turns: Turns;

  constructor({ clock, most = limits, requestMs = timing.requestMs }: AdmissionOptions) {
    this.budget = new ReceivingBudget(most);
    this.#timer = new RequestTimer(clock, requestMs);
    this.#strangerTimer = new RequestTimer(clock, Math.min(requestMs, timing.strangerRequestMs));
    this.refusals = new Refusals(clock);
    this.turns = new Turns(clock);
  }

  /**
   * Admits a call by its path, its socket and its headers. Throws UNAUTHENTICATED, PERMISSION_DENIED or
   * RESOURCE_EXHAUSTED, or CANCELLED if the connection has closed.
   */
  admit(
    authenticator: Authenticator,
    path: string,
    socket: object | undefined,
    headers: Headers,
  ): AdmittedCall {
    const connection = connectionOf(socket);
    if (connection === undefined) throw connectionClosed;
    let identity = identityOf(connection);
    if (!openServices.test(path)) {
      identity = authenticator.authenticate(socket, headers).identity;
      const verb = verbOf(path);
      if (verb !== undefined) requireVerb(identity, verb);
    }
    const headerBytes = sizeOf(headers);
    connection.received(headerBytes);
    const bytes = this.budget.open(connection, identity?.name, limits.callBytes + headerBytes);
    const timer = identity === undefined ? this.#strangerTimer : this.#timer;
    return { connection, identity, bytes, timer };
  }
}

function identityOf({ authorization }: Connection): Identity | undefined {
  return authorization instanceof HoldfastError ? undefined : authorization;
}

function sizeOf(headers: Headers): number {
  let bytes = 0;
  for (const name in headers) bytes += bytesOfHeader + name.length + String(headers[name]).length;
  return bytes;
}
